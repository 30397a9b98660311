import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttp1 } from "node:http";
import { createSecureServer, createServer } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { createListener } from "../../src/http/server/listener.ts";
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

/**
 * Milliseconds before an answer. "half closed (remote): Sends a DATA frame" wants STREAM_CLOSED for a frame that h2spec writes after the
 * request: if the answer leaves between the two, the stream is gone, and nghttp2 passes the frame over in silence. Answered at once, that
 * failed on a machine under load in 2 of 60 runs here, in 5 of 60 with bare node:http2.
 */
const ANSWER_MS = 20;

interface Answering {
  end(body: string): unknown;
}

async function answer(_: unknown, res: Answering): Promise<void> {
  await delay(ANSWER_MS);
  res.end("x".repeat(100));
}

const handler = (_: unknown, res: Answering) => void answer(_, res);

async function listenOurs(tls: { cert: string; key: string } | undefined): Promise<number> {
  const listener = createListener({ handler, tls });
  afterFile(() => listener.close(0));
  return (await listener.listen("127.0.0.1", 0)).port;
}

function listenControl(tls: { cert: string; key: string } | undefined): Promise<number> {
  return listenBare(tls === undefined ? createServer(handler) : createSecureServer(tls, handler));
}

async function listenBare(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  afterFile(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** What h2spec is to do. */
interface Run {
  readonly name: string;
  readonly port: number;
  readonly tls: boolean;
  /** A part of the specification; default: all that h2spec has. */
  readonly part?: string;
}

/** Names of the cases that failed. */
async function failures({ name, port, tls, part }: Run): Promise<Set<string>> {
  const report = join(tempDir(), "report.xml");
  const flags = [
    "-h",
    "127.0.0.1",
    "-p",
    String(port),
    "-o",
    "2",
    "-j",
    report,
    ...(tls ? ["-t", "-k"] : []),
  ];
  const printed = await output(tools.h2spec, part === undefined ? flags : [part, ...flags]);
  const cases = readFileSync(report, "utf8").split("<testcase ").slice(1);
  if (cases.length < (part === undefined ? 100 : 1))
    throw new Error(`h2spec ran ${cases.length} cases: ${printed.slice(-1_000)}`);
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
    const files = certificate && { cert: certificate.cert, key: certificate.key };
    const tls = files !== undefined;
    const control = { name: `control, ${way}`, port: await listenControl(files), tls };
    const ours = { name: `ours, ${way}`, port: await listenOurs(files), tls };
    const allowed = new Set(tls ? [] : [PREFACE]);
    let [bare, here] = [await failures(control), await failures(ours)];
    if (here.difference(bare).difference(allowed).size > 0) {
      // Some cases wait for a second, which a loaded machine may not keep: both are tried again, and what fails must fail twice.
      bare = bare.intersection(await failures({ ...control, name: `${control.name}, again` }));
      here = here.intersection(await failures({ ...ours, name: `${ours.name}, again` }));
    }
    expect([...here.difference(bare).difference(allowed)]).toEqual([]);
  });
});

describe("what is neither HTTP/2 nor HTTP/1.1, in the clear", () => {
  it("gets the same from this port as from bare node:http", async () => {
    const run = { tls: false, part: "http2/3.5/2" };
    const control = await failures({
      name: "node:http",
      port: await listenBare(createHttp1(handler)),
      ...run,
    });
    const ours = await failures({ name: "ours", port: await listenOurs(undefined), ...run });
    expect([...control]).toEqual([PREFACE]);
    expect([...ours]).toEqual([PREFACE]);
  });
});
