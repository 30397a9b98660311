import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createSecureServer, createServer } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { createListener } from "../../src/http/listener.ts";
import { makeCertificate } from "../helpers/certificate.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { buildTools, output, type Tools } from "./tools.ts";

/* h2spec as a client of this project's listener, and of bare node:http2 as the control, in the clear and over TLS. */

let tools: Tools;
beforeAll(async () => {
  tools = await buildTools();
}, 600_000);

/** In the clear the port speaks HTTP/1.1 too: what does not begin as HTTP/2 is taken for that, and gets its 400 before the end. */
const PREFACE = "http2/3.5: Sends invalid connection preface";

const answer = "x".repeat(100);

async function listenOurs(tls: { cert: string; key: string } | undefined): Promise<number> {
  const listener = createListener({ handler: (_, res) => void res.end(answer), tls });
  afterFile(() => listener.close(0));
  return (await listener.listen("127.0.0.1", 0)).port;
}

async function listenControl(tls: { cert: string; key: string } | undefined): Promise<number> {
  const server: Server =
    tls === undefined
      ? createServer((_, res) => void res.end(answer))
      : createSecureServer(tls, (_, res) => void res.end(answer));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  afterFile(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Names of the cases that failed. */
async function failures(name: string, port: number, tls: boolean): Promise<Set<string>> {
  const report = join(tempDir(), "report.xml");
  const secure = tls ? ["-t", "-k"] : [];
  const printed = await output(tools.h2spec, [
    "-h",
    "127.0.0.1",
    "-p",
    String(port),
    "-o",
    "2",
    "-j",
    report,
    ...secure,
  ]);
  const cases = readFileSync(report, "utf8").split("<testcase ").slice(1);
  if (cases.length < 100) throw new Error(`h2spec ran ${cases.length} cases: ${printed.slice(-1_000)}`);
  const failed = cases.filter((text) => /<(?:failure|error)/.test(text.split("</testcase>")[0] ?? ""));
  const names = failed.map(
    (text) => `${/package="([^"]*)"/.exec(text)?.[1]}: ${/classname="([^"]*)"/.exec(text)?.[1]}`,
  );
  console.log(`${name}: ${cases.length - failed.length} of ${cases.length} cases of h2spec passed`);
  for (const each of names) console.log(`  failed: ${each}`);
  return new Set(names);
}

describe.each([
  { way: "in the clear", certificate: undefined },
  { way: "over TLS", certificate: makeCertificate() },
])("h2spec $way", ({ way, certificate }) => {
  it("finds no case that fails here and not with bare node:http2", async () => {
    const tls = certificate && { cert: certificate.cert, key: certificate.key };
    const control = await failures(`control, ${way}`, await listenControl(tls), tls !== undefined);
    const port = await listenOurs(tls);
    const ours = await failures(`ours, ${way}`, port, tls !== undefined);
    // Some cases wait for a second, which a loaded machine may not keep: what fails must fail twice.
    const again = await failures(`ours again, ${way}`, port, tls !== undefined);
    expect([...ours.intersection(again).difference(control)].filter((name) => name !== PREFACE)).toEqual([]);
  });
});
