import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { pathsOf } from "../../../agent/openclaw/http.ts";
import { Probe, type ReadyAnswer } from "../../../agent/openclaw/probe.ts";
import type { FakeHost } from "../fake-host.ts";
import { startModel } from "../fake-model.ts";
import { configUpdate, launch, letIn, userSays } from "../setup.ts";

const own = (ready: boolean) =>
  JSON.stringify({ ready, failing: ready ? [] : ["startup-sidecars"], uptimeMs: 1 });
const answer = (status: number, body = ""): ReadyAnswer => ({ status, body });

/** Probes and heartbeats follow one another at once. */
const OFTEN = { probeMs: 5, heartbeatMs: 5, tickMs: 5 };

/** A probe whose server answers these, one after the other; how it ended. */
async function probed(answers: (ReadyAnswer | undefined)[], greets = false, told?: "openclaw" | "plain") {
  const left = [...answers];
  const taken = Promise.withResolvers<void>();
  const probe = new Probe(
    { probeMs: 1 },
    {
      ready() {
        if (left.length === 0) {
          taken.resolve();
          return new Promise(() => {});
        }
        const next = left.shift();
        return next === undefined ? Promise.reject(new Error("away")) : Promise.resolve(next);
      },
      greets: () => Promise.resolve(greets),
    },
    told,
    () => {},
  );
  probe.hurry();
  await taken.promise;
  probe.close();
  return probe;
}

/** An agent before a server that answers so at /readyz and has no gateway; and what its heartbeat says of the kind. */
async function before(ready: () => ReadyAnswer, serverKind?: "openclaw" | "plain") {
  const paths: string[] = [];
  const authorizations: unknown[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    authorizations.push(request.headers.authorization);
    const { status, body } = ready();
    if (request.url === "/readyz") return void response.writeHead(status).end(body);
    request.resume().on("end", () => {
      const choice = { index: 0, message: { content: "hello" }, finish_reason: "stop" };
      response.end(JSON.stringify({ choices: [choice] }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const agent = await launch({ url } as never, { bounds: OFTEN, serverKind, openclawToken: "t0k3n" });
  return { host: await letIn(agent), paths, authorizations };
}

async function kindOf(host: FakeHost) {
  for (;;) {
    const { openclaw_kind: kind, openclaw_kind_reason: reason } = await host.status("ready");
    if (reason !== undefined) return { kind, reason };
  }
}

describe("a server of OpenAI's API", () => {
  it.each(["", "ok", '{"status":"ok"}', '{"ready":true}', "<html>", "[]", "null"])(
    "that answers 200 and %j at /readyz is none of OpenClaw's, and takes messages",
    async (body) => {
      const { host } = await before(() => answer(200, body));
      expect(await kindOf(host)).toEqual({
        kind: "plain",
        reason: "it answers /readyz with 200, and not as OpenClaw does",
      });
      expect((await host.ask("config_update", configUpdate(1, {}))).payload).toMatchObject({ applied: true });
      expect((await host.message(userSays("hi")).rest()).at(-1)?.payload).toMatchObject({ done: true });
    },
  );

  it("is told to the host before a configuration is in force, which messages wait for", async () => {
    const asked = Promise.withResolvers<void>();
    const server = createServer(
      (_request, response) => void asked.promise.then(() => response.writeHead(404).end()),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const host = await letIn(await launch({ url } as never, { bounds: { tickMs: 60_000 } }));
    const ack = host.ask("config_update", configUpdate(1, {}));
    asked.resolve();
    expect((await ack).payload).toMatchObject({ applied: true });
    const told: unknown[] = [];
    while (host.link.size > 0) told.push((await host.link.take()).payload["openclaw_kind"]);
    expect(told).toContain("plain");
  });

  it("stays one if its gateway answers 503 for a while", async () => {
    const probe = await probed(
      [answer(404), answer(503), answer(503, "<html>"), answer(502), undefined, answer(503)],
      true,
    );
    expect(probe).toMatchObject({ kind: "plain", state: "starting" });
  });

  it("behind a gateway that answers 503 to the first question is told later", async () => {
    expect(await probed([answer(503, "<html>")])).toMatchObject({
      kind: undefined,
      kindReason: "it answers /readyz with 503, and not as OpenClaw does; --server-kind can tell what it is",
    });
    expect(await probed([answer(503), answer(404)])).toMatchObject({ kind: "plain", state: "ready" });
  });

  it("that becomes an OpenClaw is one as soon as it answers so", async () => {
    expect(await probed([answer(404), answer(503, own(false))])).toMatchObject({
      kind: "openclaw",
      state: "starting",
    });
  });
});

describe("OpenClaw", () => {
  it.each([
    [200, true, "ready"],
    [503, false, "starting"],
  ])("is told by what it answers, with status %i", async (status, ready, state) => {
    expect(await probed([answer(status, own(ready))])).toMatchObject({
      kind: "openclaw",
      state,
      kindReason: "it answers /readyz as OpenClaw does",
    });
  });

  it("of another version is told by its gateway's greeting", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    [model.ready, model.readyBody] = [200, "{}"];
    const host = await letIn(await launch(model, { bounds: OFTEN }));
    expect(await kindOf(host)).toEqual({ kind: "openclaw", reason: "its gateway greets as OpenClaw's does" });
    const answers = [answer(200, "{}"), answer(503), answer(200, "{}"), answer(200, "{}"), answer(200, "{}")];
    expect(await probed(answers, true)).toMatchObject({ kind: "openclaw", state: "ready" });
  });

  it("stays one through failures of what is between, and is none after answering otherwise for good", async () => {
    const ready = answer(200, own(true));
    const failures = [answer(404), answer(403), ready, answer(502), undefined, answer(503), answer(404)];
    expect(await probed([ready, ...failures])).toMatchObject({ kind: "openclaw", state: "starting" });
    expect(await probed([ready, answer(404), answer(404), answer(404)])).toMatchObject({
      kind: "plain",
      state: "ready",
      kindReason: "it answers /readyz with 404, and not as OpenClaw does",
    });
  });

  it("is asked with the token, which lets it say more", async () => {
    const { host, authorizations } = await before(() => answer(200, own(true)));
    expect(await kindOf(host)).toMatchObject({ kind: "openclaw" });
    expect(authorizations[0]).toBe("Bearer t0k3n");
  });
});

describe("--server-kind", () => {
  it("decides whatever the server answers", async () => {
    const told = { kindReason: "told by --server-kind" };
    const asOpenClaw = [answer(200, own(true)), answer(200, own(true))];
    expect(await probed(asOpenClaw, true, "plain")).toMatchObject({ ...told, kind: "plain", state: "ready" });
    const asOther = [answer(404), answer(404), answer(404), answer(404)];
    expect(await probed(asOther, false, "openclaw")).toMatchObject({ ...told, kind: "openclaw" });
  });

  it("lets messages through to a server that answers 503 at /readyz for ever", async () => {
    const { host } = await before(() => answer(503, "no"), "plain");
    expect(await kindOf(host)).toEqual({ kind: "plain", reason: "told by --server-kind" });
    expect((await host.message(userSays("hi")).rest()).at(-1)?.payload).toMatchObject({ done: true });
  });
});

describe("a server's URL", () => {
  it.each([
    ["http://h:1", "/readyz", "/v1/chat/completions", "ws://h:1/"],
    ["http://h:1/", "/readyz", "/v1/chat/completions", "ws://h:1/"],
    ["http://h:1/v1", "/readyz", "/v1/chat/completions", "ws://h:1/"],
    ["http://h:1/v1/", "/readyz", "/v1/chat/completions", "ws://h:1/"],
    ["https://h/v1/chat/completions", "/readyz", "/v1/chat/completions", "wss://h/"],
    ["https://h/gw/", "/gw/readyz", "/gw/v1/chat/completions", "wss://h/gw"],
    ["https://h/openai/v1", "/openai/readyz", "/openai/v1/chat/completions", "wss://h/openai"],
    ["https://h/api/paas/v4", "/api/paas/readyz", "/api/paas/v4/chat/completions", "wss://h/api/paas"],
    [
      "https://h/v1beta/openai/chat/completions",
      "/v1beta/openai/readyz",
      "/v1beta/openai/chat/completions",
      "wss://h/v1beta/openai",
    ],
  ])("%s is asked where it means", (url, readyz, completions, gateway) => {
    expect(pathsOf(url)).toEqual({ readyz, completions, gateway });
  });

  it("that ends in /v1 reaches the model", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const host = await letIn(await launch({ ...model, url: `${model.url}/v1/` }));
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    expect(call.response.req.url).toBe("/v1/chat/completions");
    expect(call.headers["accept-encoding"]).toBe("identity");
    call.text("x");
    call.finish();
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ done: true });
  });
});
