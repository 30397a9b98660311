import { writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { checkStore, checkVsock } from "../../../cli/doctor/local.ts";
import { loadConfig } from "../../../src/config.ts";
import { startServer } from "../../../src/server.ts";
import { startStack } from "../../e2e/stack.ts";
import { makeCertificate } from "../../helpers/certificate.ts";
import { afterFile, tempDir } from "../../helpers/cleanup.ts";
import { freePort } from "../../helpers/ports.ts";
import { startModel } from "../../helpers/model.ts";
import { startAgentProcess } from "../../helpers/process.ts";
import { until } from "../../helpers/until.ts";
import { valinor } from "../client/run-command.ts";

interface Findings {
  ok: boolean;
  checks: { name: string; state: string; detail: string; hint?: string }[];
}

const stack = await startStack();

/** What doctor finds, by the name of the check. */
async function examine(server: string, ...args: string[]) {
  const ran = await valinor(server, ["doctor", "-o", "json", "--timeout", "3", ...args]);
  const { ok, checks } = JSON.parse(ran.stdout) as Findings;
  expect(ran.code).toBe(ok ? 0 : 1);
  return { ok, of: (name: string) => checks.find((check) => check.name === name) };
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  afterFile(() => void server.close());
  const address = server.address();
  return `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

describe("valinor doctor", () => {
  it("finds nothing wrong if all is well, with exit code 0", async () => {
    const ran = await valinor(stack.url, ["doctor", "demo"]);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(
      /\nok {4}server: .*\nok {4}credentials: .*\nok {4}agent demo: link up, revision 1 in force/,
    );
    expect(ran.stderr).toBe("Nothing is wrong.\n");
  });

  it("tells apart a free port, programs that speak no HTTP, other servers, and servers without TLS", async () => {
    const greeter = await listen(
      createServer((socket) => socket.on("error", () => {}).end("SSH-2.0-none\r\n")),
    );
    const other = await listen(createHttpServer((_req, res) => res.writeHead(404).end("not here")));
    const [free, ssh, web, tls] = await Promise.all([
      examine("http://127.0.0.1:1"),
      examine(`http://${greeter}`),
      examine(`http://${other}`),
      examine(stack.url.replace("http:", "https:")),
    ]);
    expect(free.of("server")?.detail).toContain("nothing listens there");
    expect(ssh.of("server")?.detail).toContain("is taken by another program, which does not speak HTTP");
    expect(web.of("server")?.detail).toContain(
      'is taken by another program, which answers /healthz with status 404, "not here"',
    );
    expect(tls.of("server")).toMatchObject({ state: "fail", hint: expect.stringContaining("http://") });
  });

  it("says of each agent what is wrong: not there, OpenClaw down, configuration refused, stopped", async () => {
    const port = await freePort();
    await stack.registry.createAgent({ agent: { id: "absent", address: `tcp://127.0.0.1:${port}` } });
    await stack.registry.createAgent({
      agent: { id: "stopped", address: `tcp://127.0.0.1:${port + 1}`, status: 3 },
    });
    const away = await startAgentProcess({
      openclawUrl: `http://127.0.0.1:${await freePort()}`,
      agentId: "no-claw",
    });
    await stack.registry.createAgent({ agent: { id: "no-claw", address: away.address } });
    await stack.addAgent("refuser");
    await stack.proxy.pushConfig({ agentId: "refuser", config: { temperature: "hot" } });
    const statusOf = (agentId: string) => stack.proxy.getAgentStatus({ agentId });
    await until(
      "OpenClaw is seen to be down",
      async () => (await statusOf("no-claw")).openclaw === "down",
      25_000,
    );
    const found = await examine(stack.url);
    expect(found.of("agent demo")?.state).toBe("ok");
    expect(found.of("agent absent")).toMatchObject({
      state: "fail",
      detail: expect.stringContaining("ECONNREFUSED"),
      hint: expect.stringContaining("valinor agents set absent --address"),
    });
    expect(found.of("agent stopped")).toMatchObject({
      state: "warn",
      detail: expect.stringContaining("STOPPED"),
    });
    expect(found.of("agent no-claw")?.detail).toContain("OpenClaw beside the agent is down");
    expect(found.of("agent refuser")).toMatchObject({
      state: "fail",
      detail: expect.stringMatching(/refused revision 2 .*temperature/),
      hint: expect.stringContaining("valinor config rollback refuser"),
    });
  });

  it("says that a guest refuses the token", async () => {
    const model = await startModel();
    const tokenFile = join(tempDir(), "token");
    writeFileSync(tokenFile, "a-token-that-the-server-does-not-have\n", { mode: 0o600 });
    const agent = await startAgentProcess({ openclawUrl: model.url, agentId: "locked", tokenFile });
    await stack.registry.createAgent({ agent: { id: "locked", address: agent.address } });
    await until("the guest has refused", async () =>
      (await stack.proxy.getAgentStatus({ agentId: "locked" })).lastError.includes("refused"),
    );
    const found = await examine(stack.url, "locked");
    expect(found.of("agent locked")?.hint).toContain("tokens differ");
  });

  it("looks at what the server's configuration names: its port, store and mistakes", async () => {
    const dir = tempDir();
    const good = join(dir, "good.yaml");
    const bad = join(dir, "bad.yaml");
    const damaged = join(dir, "damaged.db");
    writeFileSync(damaged, "this is no database, and long enough to be looked at as one".repeat(50));
    const taken = await listen(createServer((socket) => socket.on("error", () => {}).end("hello\r\n")));
    writeFileSync(good, `server: { port: ${taken.split(":")[1]} }\nstore: { url: "sqlite:${damaged}" }\n`);
    writeFileSync(bad, "server: { port: 70000 }\n");
    // Without VALINOR_SERVER: the configuration says where the server is.
    const found = await examine("", "--config", good);
    expect(found.of("store")).toMatchObject({ state: "fail", detail: expect.stringContaining("damaged.db") });
    expect(found.of("server")?.detail).toContain("is taken by another program");
    const mistaken = await examine(stack.url, "--config", bad);
    expect(mistaken.of("configuration")).toMatchObject({
      state: "fail",
      detail: expect.stringContaining("server.port is 70000"),
    });
    expect(mistaken.of("server")?.state).toBe("ok");
  });

  it("asks for a credential if the server wants one", async () => {
    const flags = { server: { port: 0 }, store: { url: "sqlite::memory:" }, auth: { api_keys: "true" } };
    const server = await startServer(loadConfig({ env: {}, flags, mode: "serve" }), {
      logger: pino({ level: "silent" }),
    });
    afterFile(() => server.close());
    const found = await examine(server.url);
    expect(found.of("credentials")).toMatchObject({
      state: "fail",
      hint: expect.stringContaining("VALINOR_API_KEY"),
    });
    const sent = await valinor(server.url, ["send", "demo", "x"], { env: { VALINOR_API_KEY: "vlr_wrong" } });
    expect(sent.code).toBe(5);
  });
});

describe("a server with TLS", () => {
  it("is called with its CA's certificate, and doctor tells what is missing otherwise", async () => {
    const { certFile, keyFile } = makeCertificate();
    const flags = {
      server: { port: 0, tls_cert_file: certFile, tls_key_file: keyFile },
      store: { url: "sqlite::memory:" },
    };
    const config = loadConfig({ env: {}, flags, mode: "serve" });
    const server = await startServer(config, { logger: pino({ level: "silent" }) });
    afterFile(() => server.close());
    const https = server.url.replace("http:", "https:");
    const [plain, strange, trusted] = await Promise.all([
      examine(https.replace("https:", "http:")),
      examine(https),
      examine(https, "--ca-file", certFile),
    ]);
    expect(plain.of("server")).toMatchObject({
      detail: expect.stringContaining("speaks TLS"),
      hint: expect.stringContaining(https),
    });
    expect(strange.of("server")).toMatchObject({ state: "fail", hint: expect.stringContaining("--ca-file") });
    expect(trusted.of("server")?.state).toBe("ok");
    const listed = await valinor(https, ["agents", "ls", "--ca-file", certFile, "-o", "json"]);
    expect(listed).toMatchObject({ code: 0, stdout: "[]\n" });
  });
});

describe("the checks of this machine", () => {
  it("look for vsock if it is needed", () => {
    const config = loadConfig({ env: {}, flags: { proxy: { transport: "vsock" } }, mode: "serve" });
    expect(checkVsock(config, "/nowhere/vsock")).toMatchObject({ name: "vsock", state: "fail" });
    expect(checkVsock(config, "/dev/null")).toMatchObject({ name: "vsock", state: "ok" });
    expect(checkVsock(loadConfig({ env: {}, mode: "serve" }), "/nowhere/vsock")).toBeUndefined();
  });

  it("say that a store is not there yet, and make none", async () => {
    const path = join(tempDir(), "none.db");
    const look = () => checkStore({ kind: "sqlite", path }, 1_000);
    expect(await look()).toMatchObject({ state: "warn", detail: expect.stringContaining("not there yet") });
    expect(await look()).toMatchObject({ state: "warn" });
    const postgres = await checkStore(
      { kind: "postgres", url: "postgres://ann:hidden@127.0.0.1:1/db" },
      1_000,
    );
    expect(postgres).toMatchObject({ state: "fail", detail: expect.stringContaining("127.0.0.1:1/db") });
    expect(JSON.stringify(postgres)).not.toContain("hidden");
  });
});
