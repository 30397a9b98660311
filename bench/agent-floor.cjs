// The least that a daemon on Node can be: it listens on a free port and says so.
const server = require("node:net").createServer(() => {});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`floor listening on tcp://127.0.0.1:${server.address().port}\n`);
});
