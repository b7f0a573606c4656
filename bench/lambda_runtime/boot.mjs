// node boot.mjs CLIENT FOLDER: AWS's client for Node.js, with the function in that folder.
const [client, folder] = process.argv.slice(2);
const { run } = await import(client);
await run(folder, 'streamspace_shim.handler');
