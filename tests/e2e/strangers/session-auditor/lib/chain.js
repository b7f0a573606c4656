import { createHash } from 'node:crypto';

export const GENESIS = '0'.repeat(64);

export class Chain {
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  async append(name, entry) {
    const chain = (await this.#storage.get(name)) ?? [];
    const before = chain.at(-1)?.hash ?? GENESIS;
    const hash = createHash('sha256').update(before).update(JSON.stringify(entry)).digest('hex');
    await this.#storage.set(name, [...chain, { ...entry, hash }]);
    return hash;
  }

  async verify(name) {
    let before = GENESIS;
    for (const { hash, ...entry } of (await this.#storage.get(name)) ?? []) {
      if (createHash('sha256').update(before).update(JSON.stringify(entry)).digest('hex') !== hash) return false;
      before = hash;
    }
    return true;
  }
}
