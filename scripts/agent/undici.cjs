// What the agent uses of undici: a pool, and requests on it. The rest of undici's entry (agents, proxies, caches, mocks,
// fetch, HTTP/2) stays out of the bundle; scripts/agent/slim.ts replaces what these files would still bring along.
const Pool = require("undici/lib/dispatcher/pool.js");
const Dispatcher = require("undici/lib/dispatcher/dispatcher.js");
const request = require("undici/lib/api/api-request.js");

Dispatcher.prototype.request = request;

/** A pool of HTTP/1.1 connections: there is no HTTP/2 in the bundle, so none is offered to an https server either. */
exports.Pool = class extends Pool {
  constructor(origin, options) {
    super(origin, { ...options, allowH2: false });
  }
};
