import { X509Certificate } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { expect, onTestFinished, test } from "vitest";
import { makeCertificate, type TestCertificate } from "../../helpers/certificate.ts";
import { tempDir } from "../../helpers/cleanup.ts";
import { startModel } from "../../helpers/model.ts";
import { freePort } from "../../helpers/ports.ts";
import { type Program, spawnProgram, spawnValinor, startAgentProcess } from "../../helpers/process.ts";
import { until } from "../../helpers/until.ts";

/** How often a text stands in what a program has said. */
const count = (program: Program, text: string) => program.stdout().split(text).length - 1;

/** Sends SIGHUP, and waits for what the program says of it. */
async function hangUp(program: Program, answer: string): Promise<string> {
  const before = count(program, answer);
  program.kill("SIGHUP");
  await until(answer, () => count(program, answer) > before);
  return program.stdout().slice(program.stdout().lastIndexOf(answer) - 2_000);
}

const RELOADED = "read certificates, tokens, keys and configuration again";
const KEPT = "not reloaded: what was in force stays so";

async function startServe(yaml: string) {
  const file = join(tempDir(), "valinor.yaml");
  writeFileSync(file, yaml);
  const port = await freePort();
  const program = spawnValinor(["serve", "--config", file, "--port", String(port)]);
  await program.waitFor(/"msg":"listening"/);
  return { program, file, port };
}

/** A TLS connection that trusts whatever it is shown, and what that was. */
async function shake(port: number): Promise<{ socket: TLSSocket; fingerprint: string }> {
  const socket = connectTls({
    host: "127.0.0.1",
    port,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
  });
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return { socket, fingerprint: socket.getPeerCertificate().fingerprint256 };
}

async function askOn(socket: TLSSocket, credential: string): Promise<string> {
  socket.write(`GET /agents HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${credential}\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer.toString().split("\r\n", 1)[0] ?? "";
}

const fingerprintOf = (files: TestCertificate) => new X509Certificate(files.cert).fingerprint256;

/** A key pair of an issuer: its key set as text, and a token. */
async function makeKeys(kid: string) {
  const pair = await generateKeyPair("ES256");
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid, alg: "ES256", use: "sig" }];
  const token = await new SignJWT({ tenant: "acme", roles: ["viewer"] })
    .setProtectedHeader({ alg: "ES256", kid })
    .setIssuer("https://issuer.test")
    .setAudience("valinor")
    .setSubject("ann")
    .setExpirationTime("1h")
    .sign(pair.privateKey);
  return { jwks: JSON.stringify({ keys }), token };
}

test("SIGHUP has serve read its certificate and an issuer's keys again, and connections go on", async () => {
  const [first, second] = [makeCertificate(), makeCertificate()];
  const [oldKeys, newKeys] = [await makeKeys("k1"), await makeKeys("k2")];
  const dir = tempDir();
  const [certFile, keyFile, jwksFile] = [join(dir, "tls.crt"), join(dir, "tls.key"), join(dir, "jwks.json")];
  const install = (cert: string, key: string) => {
    for (const [path, text] of [[certFile, cert] as const, [keyFile, key] as const]) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    }
  };
  install(first.cert, first.key);
  writeFileSync(jwksFile, oldKeys.jwks);
  const { program, port } = await startServe(`
server: { tls_cert_file: ${certFile}, tls_key_file: ${keyFile} }
store: { url: "sqlite::memory:" }
auth: { issuers: [{ issuer: "https://issuer.test", audience: valinor, jwks_file: ${jwksFile}, algorithms: [ES256] }] }
`);
  const old = await shake(port);
  expect(old.fingerprint).toBe(fingerprintOf(first));
  expect(await askOn(old.socket, oldKeys.token)).toContain("200");
  expect(await askOn(old.socket, newKeys.token)).toContain("401");

  install(second.cert, second.key);
  writeFileSync(jwksFile, newKeys.jwks);
  expect(await hangUp(program, RELOADED)).toContain(
    '"changed":["server.tls_cert_file","server.tls_key_file"]',
  );
  expect((await shake(port)).fingerprint).toBe(fingerprintOf(second));
  // The connection from before is the same, with the same certificate; who calls on it is looked up as now.
  expect(await askOn(old.socket, newKeys.token)).toContain("200");
  expect(await askOn(old.socket, oldKeys.token)).toContain("401");

  install(second.cert, first.key);
  expect(await hangUp(program, KEPT)).toMatch(/problems.*its unencrypted private key in PEM/);
  expect((await shake(port)).fingerprint).toBe(fingerprintOf(second));
  writeFileSync(jwksFile, "{");
  install(first.cert, first.key);
  expect(await hangUp(program, KEPT)).toContain("is not a JSON Web Key Set");
  const after = await shake(port);
  expect(after.fingerprint).toBe(fingerprintOf(second));
  expect(await askOn(after.socket, newKeys.token)).toContain("200");
  expect(program.stdout()).not.toContain("PRIVATE KEY");
  after.socket.destroy();
  old.socket.destroy();
  program.kill("SIGTERM");
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test("SIGHUP has serve use another guest token, and says what needs a restart", async () => {
  const model = await startModel();
  const [oldToken, newToken] = [join(tempDir(), "old"), join(tempDir(), "new")];
  writeFileSync(oldToken, "old-guest-token");
  writeFileSync(newToken, "new-guest-token");
  const agent = await startAgentProcess({ openclawUrl: model.url, agentId: "a1", tokenFile: newToken });
  const yaml = (token: string, more: string) => `
store: { url: "sqlite::memory:" }
proxy: { transport: tcp, guest_token_file: ${token} ${more} }
agents: [{ id: a1, address: "${agent.address}" }]
`;
  const { program, file, port } = await startServe(yaml(oldToken, ""));
  const isConnected = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/agents/a1`);
    return ((await response.json()) as { connected: boolean }).connected;
  };
  await program.waitFor(/"msg":"link down"/);
  expect(await isConnected()).toBe(false);
  writeFileSync(file, yaml(newToken, ", tcp_base_port: 9200"));
  await hangUp(program, RELOADED);
  await program.waitFor(/"keys":\["proxy.tcp_base_port"\].*only a restart takes it/);
  expect(program.stdout()).toContain('"changed":["proxy.guest_token_file"]');
  await until("the agent takes the new token", isConnected);
  writeFileSync(file, "server: { port: 70000 }\n");
  expect(await hangUp(program, KEPT)).toContain("server.port is 70000");
  expect(await isConnected()).toBe(true);
  expect(program.stdout()).not.toContain("guest-token");
});

async function startAnswer() {
  const model = await startModel();
  const agent = await startAgentProcess({ openclawUrl: model.url, agentId: "a1" });
  return startServe(`store: { url: "sqlite::memory:" }\nagents: [{ id: a1, address: "${agent.address}" }]\n`);
}

/** Sends SIGTERM now and every 0.3 s: those within a second are one wish, as npm and the terminal both send one. */
async function insist(program: Program): Promise<{ code: number | null; ms: number }> {
  const began = performance.now();
  program.kill("SIGTERM");
  const again = setInterval(() => program.kill("SIGTERM"), 300);
  const { code } = await program.exited;
  clearInterval(again);
  return { code, ms: performance.now() - began };
}

test("a second signal ends a serve that is still draining, and each stream with a word", async () => {
  const { program, port } = await startAnswer();
  const res = await fetch(`http://127.0.0.1:${port}/agents/a1/stream`, {
    method: "POST",
    body: JSON.stringify({ content: "!stall 60" }),
  });
  const { code, ms } = await insist(program);
  expect(code).toBe(0);
  expect(ms).toBeGreaterThan(900);
  expect(ms).toBeLessThan(10_000);
  expect(await res.text()).toContain('"reason":"DRAINING"');
});

test("signals a second apart stop, hurry, and end the process at once", async () => {
  const stop = join(import.meta.dirname, "../../../cli/server/stop.ts");
  const script = `import { stopWishes } from ${JSON.stringify(stop)};
    const { stop, hurry } = stopWishes();
    void stop.then(() => console.log("stop"));
    hurry.addEventListener("abort", () => console.log("hurry"));
    setInterval(() => {}, 1_000);
    console.log("waits");`;
  const program = spawnProgram(process.execPath, ["--input-type=module", "--eval", script]);
  await program.waitFor(/waits/);
  expect((await insist(program)).code).toBe(1);
  expect(program.stdout()).toBe("waits\nstop\nhurry\n");
});
