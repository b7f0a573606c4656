"""Plugins whose code is the reference's JavaScript examples, word for word.

A reader pastes an example into a plugin of their own. So each stands as it is in a function or a module of its own, and what it calls
without defining it (``fetchExternalTemplates``, ``sessionId`` …) the plugin around it has.
"""

from __future__ import annotations

import re

from tests.document import Block, blocks
from tests.e2e.document.cases import CASES

Files = dict[str, str]

_GIVEN = """
exports.sessionId = 'user1-firefox';
exports.logContent = 'a line of the log\\n';
exports.error = new Error('sync failed');
exports.createConnection = async ({ apiKey }) => {
  await streamspace.storage.set('connected-with', apiKey);
  return { close: async () => {} };
};
exports.fetchExternalTemplates = async () => {
  const known = (await streamspace.api.getTemplates({ limit: 1000 })).map((template) => template.name);
  return [1, 2].filter((number) => !known.includes(`external-${number}`)).map((number) => ({
    name: `external-${number}`,
    displayName: `External ${number}`,
    description: 'From outside',
    category: 'Examples',
    baseImage: 'registry.example.com/external:1',
    defaultResources: { memory: '1Gi', cpu: '500m' },
    ports: [{ name: 'vnc', containerPort: 3000 }],
  }));
};
"""
_NAMES = "const { sessionId, logContent, error, createConnection, fetchExternalTemplates } = require('./given');\n"

_CALLS = """
const { examples, registrations } = require('./examples');

module.exports = {
  async onLoad() {
    for (const register of Object.values(registrations)) await register.call(this);
    for (const [name, example] of Object.entries(examples)) {
      streamspace.commands.register({ name, description: 'An example of the reference', handler: () => example.call(this) });
    }
    streamspace.commands.register({
      name: 'keep',
      description: 'Puts its arguments into the storage',
      handler: async (values) => {
        for (const [key, value] of Object.entries(values)) await streamspace.storage.set(key, value);
      },
    });
  },
};
"""

_HOOKS = """
const created = [require('./on-session-created'), require('./standard-errors'), require('./error-logging')];
const config = require('./this-config');

module.exports = {
  ...require('./on-unload'),
  ...require('./on-user-created'),
  ...require('./on-user-login'),

  async onLoad() {
    await config.onLoad.call(this);
    this.connections.push({ close: () => streamspace.storage.set('closed', true) });
    this.timers.push(setInterval(() => {}, 3_600_000));
    streamspace.commands.register({
      name: 'hear-of-nobody',
      description: "Hears of a session whose user is gone",
      handler: () => require('./standard-errors').onSessionCreated.call(this, { id: 'nobody-vscode', user: 'nobody' }),
    });
  },

  async onSessionCreated(session) {
    for (const example of created) await example.onSessionCreated.call(this, session);
  },

  async processSession() {
    throw new Error('no room for it');
  },
};
"""


def command(key: str, position: int) -> str:
    """The command that runs an example: ``get-sessions-0``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", key)
    return f"{_slug(words)}-{position}"


def steps(block: Block) -> list[str]:
    return block.paragraphs if CASES[block.key].apart else block.examples


def calls() -> Files:
    """A plugin with a command for each example, and with those that register something in its onLoad."""
    functions: dict[str, list[str]] = {"call": [], "load": []}
    for block in blocks("javascript"):
        kind = CASES[block.key].kind
        for position, code in enumerate(steps(block) if kind in functions else []):
            names = ", ".join(Block(block.key, code).declared)
            functions[kind].append(f"'{command(block.key, position)}': async function () {{\n{code}\nreturn {{ {names} }};\n}},\n")
    examples = f"exports.examples = {{\n{''.join(functions['call'])}}};\nexports.registrations = {{\n{''.join(functions['load'])}}};\n"
    return {"index.js": _CALLS, "given.js": _GIVEN, "examples.js": _NAMES + examples}


def hooks() -> Files:
    """A plugin whose hooks are the examples' own, each from a module of its own."""
    files = {"index.js": _HOOKS}
    for block in blocks("javascript"):
        kind = CASES[block.key].kind
        name = f"{command(block.key, 0).removesuffix('-0')}.js"
        if kind == "hook":
            files[name] = f"module.exports = {{\n{block.code}}};\n"
        elif kind == "module" and block.key != "onLoad()":
            files[name] = block.code
    return files


def on_load() -> Files:
    """The example of onLoad, as a plugin of its own."""
    (block,) = (one for one in blocks("javascript") if one.key == "onLoad()")
    return {"index.js": _NAMES + block.code, "given.js": _GIVEN}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
