// What the agent uses of undici. The rest of its entry (proxies, caches, mocks, interceptors, HTTP/2) stays out of the
// bundle; scripts/agent/slim.ts replaces what these files would still bring along, and checks that the agent asks for no
// more than this.
const Dispatcher = require("undici/lib/dispatcher/dispatcher.js");

Dispatcher.prototype.request = require("undici/lib/api/api-request.js");

/** There is no HTTP/2 in the bundle, so none is offered to an https server either. */
const WITHOUT_H2 = { allowH2: false };

// Each is loaded when it is first asked for: the socket to OpenClaw's gateway is not needed by every guest.
const offer = {
  Pool: () => {
    const Pool = require("undici/lib/dispatcher/pool.js");
    return class extends Pool {
      constructor(origin, options) {
        super(origin, { ...options, ...WITHOUT_H2 });
      }
    };
  },
  Agent: () => {
    const Agent = require("undici/lib/dispatcher/agent.js");
    return class extends Agent {
      constructor(options) {
        super({ ...options, ...WITHOUT_H2 });
      }
    };
  },
  buildConnector: () => {
    const build = require("undici/lib/core/connect.js");
    return (options) => build({ ...options, ...WITHOUT_H2 });
  },
  WebSocket: () => require("undici/lib/web/websocket/websocket.js").WebSocket,
};
for (const [name, load] of Object.entries(offer)) {
  let loaded;
  Object.defineProperty(exports, name, { enumerable: true, get: () => (loaded ??= load()) });
}
