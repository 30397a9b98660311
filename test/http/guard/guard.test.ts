import { describe, expect, test } from "vitest";
import { createGuard, type GuardOptions } from "../../../src/http/guard/guard.ts";
import { request as http2Request } from "../http2-client.ts";
import { ask, dial, readAll, serve } from "../serving.ts";

const listed = "https://app.example.com";

/** Serves 200 behind a guard. */
function serveGuarded(options: Partial<GuardOptions> = {}) {
  const guard = createGuard({ allowedOrigins: [listed], allowedHosts: [], loopbackOnly: true, ...options });
  return serve((req, res) => {
    if (guard(req, res)) res.writeHead(200).end("in");
  });
}

describe("Host", () => {
  test.each([
    ["localhost", true],
    ["localhost:8080", true],
    ["LOCALHOST:1", true],
    ["127.0.0.1:9", true],
    ["127.200.3.4", true],
    ["[::1]:80", true],
    ["valinor.internal", true],
    ["valinor.internal:8443", true],
    ["exact:1", true],
    ["exact:2", false],
    ["evil.example", false],
    ["localhost.evil.example", false],
    ["127.0.0.1.evil.example", false],
    ["128.0.0.1", false],
    ["[::2]", false],
  ])("%j on loopback only: %j", async (host, allowed) => {
    const { port } = await serveGuarded({ allowedHosts: ["Valinor.internal", "exact:1"] });
    const { status, body } = await ask(port, "/", { headers: { host } });
    expect(status).toBe(allowed ? 200 : 403);
    expect(allowed || (JSON.parse(body).error as string)).toBe(allowed || "host not allowed");
  });

  test("any name is good elsewhere, unless hosts are listed", async () => {
    const open = await serveGuarded({ loopbackOnly: false });
    expect((await ask(open.port, "/", { headers: { host: "any.example" } })).status).toBe(200);
    const tight = await serveGuarded({ loopbackOnly: false, allowedHosts: ["one.example"] });
    expect((await ask(tight.port, "/", { headers: { host: "any.example" } })).status).toBe(403);
    expect((await ask(tight.port, "/", { headers: { host: "one.example:99" } })).status).toBe(200);
  });

  test("a request without one is refused on loopback only", async () => {
    const { port } = await serveGuarded();
    const socket = await dial(port);
    socket.write("GET / HTTP/1.0\r\n\r\n");
    expect(await readAll(socket)).toContain("HTTP/1.1 403");
  });

  test("HTTP/2's authority is checked the same, and must not differ from a Host beside it", async () => {
    const { port } = await serveGuarded();
    const status = async (headers: Record<string, string>) => (await http2Request(port, headers)).status;
    expect(await status({ ":authority": "localhost:1" })).toBe(200);
    expect(await status({ ":authority": "evil.example" })).toBe(403);
    expect(await status({ ":authority": "localhost", host: "evil.example" })).toBe(400);
  });
});

describe("a Host that is no authority is 400, whether or not any name is good", () => {
  const malformed = [
    "a b",
    "",
    "[::1",
    "[:::1]",
    "[]",
    "localhost:99999",
    "localhost:80:80",
    "localhost:x",
    "user@localhost",
    "user:word@localhost",
    "localhost/path",
    "localhost?q",
    "localhost#f",
    "localhost\\",
    "a,b",
    "127.0.0.256",
    "1.2.3.4.5",
    "%",
    "*",
    "http://localhost",
  ];
  test.each(malformed.flatMap((host) => [true, false].map((loopbackOnly) => ({ host, loopbackOnly }))))(
    "$host",
    async ({ host, loopbackOnly }) => {
      const { port } = await serveGuarded({ loopbackOnly });
      const socket = await dial(port);
      socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
      const answer = await readAll(socket);
      expect(answer).toContain("HTTP/1.1 400");
      expect(answer).toContain('{"error":"malformed host","reason":"INVALID_ARGUMENT"');
    },
  );

  test.each([
    ["two of them", "1.1", "host: localhost\r\nhost: localhost\r\n", 400],
    ["two that differ", "1.1", "host: localhost\r\nHOST: evil.example\r\n", 400],
    ["none over HTTP/1.1", "1.1", "", 400],
    ["none over HTTP/1.0", "1.0", "", 200],
    ["two over HTTP/1.0", "1.0", "host: localhost\r\nhost: localhost\r\n", 400],
  ])("%s", async (_name, version, lines, status) => {
    const { port } = await serveGuarded({ loopbackOnly: false });
    const socket = await dial(port);
    socket.write(`GET / HTTP/${version}\r\n${lines}connection: close\r\n\r\n`);
    expect(await readAll(socket)).toContain(`HTTP/1.1 ${status}`);
  });

  // What is worse than these, HTTP/2 itself resets.
  test.each(["[::1", "localhost:99999", "127.0.0.256", "a,b"])("%j over HTTP/2", async (host) => {
    const { port } = await serveGuarded({ loopbackOnly: false });
    expect((await http2Request(port, { ":authority": host })).status).toBe(400);
  });
});

describe("origin", () => {
  const cases: [string, Record<string, string>, boolean][] = [
    ["no browser", {}, true],
    ["a listed origin", { origin: listed }, true],
    ["a listed origin, cross-site", { origin: listed, "sec-fetch-site": "cross-site" }, true],
    ["the same origin", { origin: "http://localhost:7", "sec-fetch-site": "same-origin" }, true],
    ["the same origin behind a TLS proxy", { origin: "https://localhost", host: "localhost:443" }, true],
    ["another port", { origin: "http://localhost:8" }, false],
    ["another site", { origin: "https://evil.example" }, false],
    ["a sandboxed page", { origin: "null" }, false],
    ["an extension", { origin: "chrome-extension://abc" }, false],
    ["a listed origin's other port", { origin: `${listed}:444` }, false],
    ["a listed origin over http", { origin: "http://app.example.com" }, false],
    ["an origin that only begins like a listed one", { origin: `${listed}.evil.example` }, false],
    ["an image on another site's page", { "sec-fetch-site": "cross-site" }, false],
    ["an image on a page of another port", { "sec-fetch-site": "same-site" }, false],
    ["the address bar", { "sec-fetch-site": "none" }, true],
    ["our own page's image", { "sec-fetch-site": "same-origin" }, true],
  ];

  test.each(cases)("%s", async (_name, headers, allowed) => {
    const { port } = await serveGuarded();
    for (const method of ["GET", "POST"]) {
      const answer = await ask(port, "/", { method, headers: { host: "localhost:7", ...headers } });
      expect(answer.status).toBe(allowed ? 200 : 403);
      expect(answer.headers["access-control-allow-origin"]).toBe(
        headers["origin"] === listed ? listed : undefined,
      );
      expect(answer.headers.vary).toBe("Origin");
    }
  });

  test("a refusal is a clear JSON error", async () => {
    const { port } = await serveGuarded();
    const { body } = await ask(port, "/", { headers: { host: "localhost", origin: "https://evil.example" } });
    expect(JSON.parse(body)).toMatchObject({ error: "origin not allowed", reason: "PERMISSION_DENIED" });
  });

  test("what is listed must be an origin, a host", () => {
    const make = (options: Partial<GuardOptions>) => () =>
      createGuard({ allowedOrigins: [], allowedHosts: [], loopbackOnly: true, ...options });
    expect(make({ allowedOrigins: ["*"] })).toThrow("is not an origin");
    expect(make({ allowedOrigins: ["https://a.example/path"] })).toThrow("is not an origin");
    expect(make({ allowedHosts: ["http://a.example"] })).toThrow("is not a host");
  });
});

describe("CORS", () => {
  const preflight = {
    host: "localhost",
    origin: listed,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,x-stainless-os,x-other",
    "access-control-request-private-network": "true",
  };

  test("a preflight of a listed origin is answered and goes no further", async () => {
    const { port } = await serveGuarded();
    const { status, headers, body } = await ask(port, "/", { method: "OPTIONS", headers: preflight });
    expect([status, body]).toEqual([204, ""]);
    expect(headers["access-control-allow-origin"]).toBe(listed);
    expect(headers["access-control-allow-methods"]).toBe("POST, GET, HEAD");
    expect(headers["access-control-allow-private-network"]).toBe("true");
    const allowed = headers["access-control-allow-headers"]?.toLowerCase().split(", ");
    for (const name of [
      "content-type",
      "connect-protocol-version",
      "x-grpc-web",
      "authorization",
      "last-event-id",
    ]) {
      expect(allowed).toContain(name);
    }
    expect(allowed).toContain("x-stainless-os");
    expect(allowed).not.toContain("x-other");
  });

  test("a preflight of another origin is refused", async () => {
    const { port } = await serveGuarded();
    const headers = { ...preflight, origin: "https://evil.example" };
    expect((await ask(port, "/", { method: "OPTIONS", headers })).status).toBe(403);
  });

  test("answers show a listed origin the headers that clients need", async () => {
    const { port } = await serveGuarded();
    const { headers } = await ask(port, "/", { headers: { host: "localhost", origin: listed } });
    const exposed = headers["access-control-expose-headers"]?.toLowerCase().split(", ");
    for (const name of [
      "grpc-status",
      "grpc-message",
      "grpc-status-details-bin",
      "x-valinor-request-id",
      "x-valinor-resumable",
      "x-valinor-run-life",
    ]) {
      expect(exposed).toContain(name);
    }
  });
});
