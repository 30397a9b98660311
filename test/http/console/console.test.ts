import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, request, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createConsoleHandler } from "../../../src/http/console/console.ts";
import { createGuard } from "../../../src/http/guard/guard.ts";
import { afterFile, tempDir } from "../../helpers/cleanup.ts";

const page = "<!doctype html><title>Valinor</title>".repeat(20);

/** A folder as a build makes it, beside a file that is not to be served. */
function builtConsole(): string {
  const top = tempDir();
  writeFileSync(join(top, "secret.html"), "secret");
  const dir = join(top, "dist");
  mkdirSync(join(dir, "assets"), { recursive: true });
  writeFileSync(join(dir, "index.html"), page);
  writeFileSync(join(dir, "assets/index-abc.js"), "console.log(1);".repeat(50));
  writeFileSync(join(dir, ".sources"), "digest");
  return dir;
}

function serve(dir: string): Promise<string> {
  const handler = createConsoleHandler({ dir });
  return listen((req, res) => {
    if (!handler(req, res)) res.writeHead(418).end();
  });
}

async function listen(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterFile(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends a request's bytes as they are: fetch would tidy its path up. */
async function raw(url: string, target: string): Promise<string> {
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.end(`GET ${target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

describe("the server's bare address", () => {
  it("leads a browser to the console, and nothing else there", async () => {
    const url = await serve(builtConsole());
    const answer = await fetch(`${url}/`, { redirect: "manual" });
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "/console/"]);
    expect((await fetch(`${url}/`, { method: "POST" })).status).toBe(418);
  });
});

describe("a visit from another site", () => {
  const from = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
  const guard = createGuard({ allowedOrigins: [], allowedHosts: [], loopbackOnly: true });

  it.each([
    ["GET", "/console/", from, 200],
    ["GET", "/console", from, 200],
    ["GET", "/console?x", from, 200],
    ["GET", "/consoles", from, 403],
    ["GET", "/agents", from, 403],
    ["POST", "/console/", from, 403],
    ["GET", "/console/", { ...from, "sec-fetch-dest": "iframe" }, 403],
    ["GET", "/console/assets/index-abc.js", { ...from, "sec-fetch-mode": "no-cors" }, 403],
    ["GET", "/console/", { ...from, host: "evil.test" }, 403],
  ])("%s %s is let through if it only shows the console", async (method, path, headers, status) => {
    const url = await listen((req, res) => {
      if (guard(req, res)) res.end();
    });
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      request(url + path, { method, headers }, (res) => resolve(res.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(answer).toBe(status);
  });
});

describe("the console's files", () => {
  it("are served with a policy that lets nothing but their own scripts, styles and calls run", async () => {
    const url = await serve(builtConsole());
    const response = await fetch(`${url}/console/`);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(page);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    expect(response.headers.get("content-security-policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(response.headers.get("cross-origin-opener-policy")).toBe("same-origin");
  });

  it("are found from the address without its slash, with its query", async () => {
    const url = await serve(builtConsole());
    const response = await fetch(`${url}/console?a=1`, { redirect: "manual" });
    expect(response.status).toBe(308);
    expect(response.headers.get("location")).toBe("/console/?a=1");
  });

  it("are kept by browsers for ever if their name changes with their content", async () => {
    const url = await serve(builtConsole());
    const response = await fetch(`${url}/console/assets/index-abc.js`);
    expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  });

  it("are compressed for those who take it, and 304 for those who have them", async () => {
    const url = await serve(builtConsole());
    const text = await raw(url, "/console/ HTTP/1.1\r\naccept-encoding: br, gzip;q=0.8\r\nx-rest: ");
    expect(text).toContain("content-encoding: gzip");
    const plain = await fetch(`${url}/console/`, { headers: { "accept-encoding": "gzip;q=0" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
    const etag = plain.headers.get("etag") ?? "";
    const again = await fetch(`${url}/console/`, {
      headers: { "accept-encoding": "identity", "if-none-match": `W/${etag}` },
    });
    expect(again.status).toBe(304);
    const zipped = await fetch(`${url}/console/`, { headers: { "accept-encoding": "gzip" } });
    expect(zipped.headers.get("etag")).not.toBe(etag);
    expect(await zipped.text()).toBe(page);
  });

  it.each([
    "/console/../secret.html",
    "/console/%2e%2e/secret.html",
    "/console/assets/..%2f..%2fsecret.html",
    "/console//etc/passwd",
    "/console/.sources",
    "/console/assets/",
    "/console/assets/index-abc.js/",
    "/console/__proto__",
  ])("are the only ones that are served: %s is not", async (target) => {
    const url = await serve(builtConsole());
    const text = await raw(url, target);
    expect(text).toMatch(/^HTTP\/1\.1 404 /);
    expect(text).not.toContain("secret\n");
    expect(text).not.toContain("digest");
  });

  it("are read and nothing else", async () => {
    const url = await serve(builtConsole());
    const post = await fetch(`${url}/console/`, { method: "POST", body: "x" });
    expect(post.status).toBe(405);
    expect(post.headers.get("allow")).toBe("GET, HEAD");
    const head = await fetch(`${url}/console/`, { method: "HEAD" });
    expect(head.headers.get("content-length")).not.toBe("0");
    expect(await head.text()).toBe("");
  });

  it("leave every other path to others", async () => {
    const url = await serve(builtConsole());
    for (const path of ["/consoles", "/agents"]) expect((await fetch(url + path)).status).toBe(418);
  });

  it("say how to build them if they are not there, and are served once they are", async () => {
    const dir = join(tempDir(), "dist");
    const url = await serve(dir);
    const missing = await fetch(`${url}/console/`);
    expect(missing.status).toBe(503);
    expect(missing.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await missing.text()).toContain("node scripts/web/build.ts");
    mkdirSync(dir);
    writeFileSync(join(dir, "index.html"), page);
    expect((await fetch(`${url}/console/`)).status).toBe(200);
  });
});
