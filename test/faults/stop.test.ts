import { Agent, request } from "node:http";
import { join } from "node:path";
import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { createValinorClient } from "../../clients/ts/src/index.ts";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { spawnValinor } from "../helpers/process.ts";
import { until } from "../helpers/until.ts";
import { hashOf } from "./answers.ts";
import { startAgentPart, startModelPart, startServePart } from "./programs.ts";
import { makeSend, type Send, sendToEnd } from "./sends.ts";

const STREAMS = 200;
const AGENTS = 4;
/** Each answer takes five seconds. */
const PIECES = 250;
const PACE_MS = 20;

/** What one stream gave: its text, and every end that it was told. */
interface Seen {
  text: string;
  last: number;
  ends: string[];
}

type Reader = (baseUrl: string, send: Send, seen: Seen) => Promise<void>;

/** Reads a run over Connect's library; what is no error of the server's is told as such. */
function overRpc(transportOf: (baseUrl: string) => Transport): Reader {
  let transport: Transport | undefined;
  return async (baseUrl, { agentId, id, message }, seen) => {
    const proxy = createClient(AgentProxy, (transport ??= transportOf(baseUrl)));
    try {
      for await (const { event, sequence } of proxy.stream({
        agentId,
        requestId: id,
        message: { content: message },
      })) {
        if (event.case === "textDelta") seen.text += event.value.text;
        if (event.case === "done") seen.ends.push("done");
        if (sequence > 0) seen.last = sequence;
      }
    } catch (error) {
      const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
      seen.ends.push(
        info === undefined ? `cut: ${String(error)}` : `${info.reason} ${info.metadata["last_sequence"]}`,
      );
    }
  };
}

/** Reads a run as server-sent events. */
const overSse: Reader = async (baseUrl, { agentId, id, message }, seen) => {
  const response = await fetch(`${baseUrl}/agents/${agentId}/stream`, {
    method: "POST",
    body: JSON.stringify({ content: message, request_id: id }),
  });
  let text = "";
  try {
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += part;
  } catch (error) {
    seen.ends.push(`cut: ${String(error)}`);
  }
  for (const block of text.split("\n\n")) {
    const name = /^event: (\w+)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (name === undefined || data === undefined) continue;
    const event = JSON.parse(data) as {
      content?: string;
      sequence?: number;
      reason?: string;
      last_sequence?: number;
    };
    if (name === "chunk") {
      seen.text += event.content ?? "";
      seen.last = event.sequence ?? 0;
    } else seen.ends.push(name === "done" ? "done" : `${event.reason} ${event.last_sequence}`);
  }
};

const readers: readonly [name: string, read: Reader][] = [
  ["Connect", overRpc((baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }))],
  ["gRPC", overRpc((baseUrl) => createGrpcTransport({ baseUrl }))],
  ["gRPC-Web", overRpc((baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }))],
  ["SSE", overSse],
];

/** A control plane that gives streams one second, with agents and the fake model. */
async function startWorld(server: string, agentArgs: readonly string[] = []) {
  const model = await startModelPart();
  const ids = Array.from({ length: AGENTS }, (_, index) => `a${index + 1}`);
  const agents = await Promise.all(ids.map((id) => startAgentPart(id, model.port, agentArgs)));
  const ports = new Map(ids.map((id, index) => [id, agents[index]?.port ?? 0]));
  const serve = await startServePart(`sqlite:${join(tempDir(), "valinor.db")}`, ports, server);
  const baseUrl = `http://127.0.0.1:${serve.port}`;
  const client = createValinorClient({ baseUrl });
  await until("every agent is there", async () => {
    const views = await Promise.all(ids.map((id) => client.status(id)));
    return views.every(({ connected }) => connected);
  });
  return { model, agents, serve, baseUrl, client };
}

const sends = (name: string) =>
  Array.from({ length: STREAMS }, (_, n) =>
    makeSend(`a${1 + (n % AGENTS)}`, `${name}-${n}`, PIECES, PACE_MS),
  );

test(`SIGTERM under ${STREAMS} streams: each is told once, and what the next server reads on is the model's text`, async () => {
  const { model, serve, baseUrl, client } = await startWorld("drain_seconds: 1");
  const reading = sends("term").map((send, n) => {
    const [name, read] = readers[n % readers.length] as (typeof readers)[number];
    const seen: Seen = { text: "", last: 0, ends: [] };
    return { name, send, seen, ended: read(baseUrl, send, seen) };
  });
  await until("every run is under way", () => model.calls().size === STREAMS, 60_000);
  const began = performance.now();
  serve.program.kill("SIGTERM");
  await Promise.all(reading.map(({ ended }) => ended));
  const { code } = await serve.program.exited;
  const stopMs = performance.now() - began;
  const [told, cut] = [/^DRAINING /, /^cut/].map(
    (pattern) => reading.filter(({ seen }) => seen.ends.some((end) => pattern.test(end))).length,
  );
  console.log(
    `${STREAMS} streams, SIGTERM with a drain of 1 s: ${told} told DRAINING, ${cut} cut, ended in ${stopMs.toFixed(0)} ms`,
  );
  expect(code).toBe(0);
  for (const { name, seen } of reading)
    expect({ name, ends: seen.ends }).toEqual({ name, ends: [`DRAINING ${seen.last}`] });
  await serve.start();
  await Promise.all(
    reading.map(async ({ send, seen }) => {
      const rest = client.attach(send.agentId, send.id, { afterSequence: seen.last });
      for await (const event of rest) if (event.type === "text") seen.text += event.text;
      expect(hashOf(seen.text)).toBe(hashOf(send.answer));
    }),
  );
  expect([...model.calls().values()].every((count) => count === 1)).toBe(true);
});

test(`SIGTERM and a restart under ${STREAMS} messages of the TypeScript client costs none of them anything`, async () => {
  const { model, serve, client, baseUrl } = await startWorld("drain_seconds: 1, notice_seconds: 0.5");
  const typed = makeSend("a1", "typed", PIECES, PACE_MS);
  const cli = spawnValinor(["stream", "a1", typed.message, "--request-id", typed.id, "--server", baseUrl]);
  await until("the command's run is under way", () => model.calls().has(typed.id), 60_000);
  const endings = sends("restart").map((send) => sendToEnd(client, send));
  await until("every run is under way", () => model.calls().size === STREAMS + 1, 60_000);
  serve.program.kill("SIGTERM");
  expect((await serve.program.exited).code).toBe(0);
  await serve.start();
  expect((await cli.exited).code).toBe(0);
  expect(hashOf(cli.stdout().replace(/\n$/, ""))).toBe(hashOf(typed.answer));
  const all = await Promise.all(endings);
  console.log(
    `${STREAMS} messages over a restart: ${all.filter(({ how }) => how === "done").length} answered`,
  );
  expect(all.flatMap(({ faults }) => faults)).toEqual([]);
  expect(all.filter(({ how }) => how !== "done")).toEqual([]);
  expect([...model.calls().values()].every((count) => count === 1)).toBe(true);
});

/**
 * Makes a call; `told` if the server said why it is not answered, `refused` if the connection said that nothing of it was done, `gone`
 * if there was no port any more.
 */
type Caller = (send: Send) => Promise<"answered" | "refused" | "told" | "gone" | "cut">;

const isGone = (error: unknown): boolean => String(error).includes("ECONNREFUSED");

function overHttp1(baseUrl: string): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  return async ({ agentId, message }) => {
    try {
      const status = await post(agent, `${baseUrl}/agents/${agentId}/message`, message);
      return status === 200 ? "answered" : status === 503 ? "told" : "cut";
    } catch (error) {
      return isGone(error) ? "gone" : "cut";
    }
  };
}

function overGrpc(baseUrl: string): Caller {
  const proxy = createClient(AgentProxy, createGrpcTransport({ baseUrl }));
  return async ({ agentId, message }) => {
    try {
      await proxy.sendMessage({ agentId, message: { content: message } });
      return "answered";
    } catch (error) {
      const why = ConnectError.from(error);
      // A stream that crosses a GOAWAY, or that node:http2 had not sent when it came: nothing of it may have been done.
      if (/NGHTTP2_REFUSED_STREAM|CANCEL \(0x8\)/.test(why.message)) return "refused";
      if (isGone(why)) return "gone";
      return why.findDetails(ErrorInfoSchema)[0]?.reason === "DRAINING" ? "told" : "cut";
    }
  };
}

const CALLERS = 100;

test.each([
  ["HTTP/1.1", 0, overHttp1],
  ["HTTP/1.1", 1, overHttp1],
  ["gRPC", 0, overGrpc],
  ["gRPC", 1, overGrpc],
] as const)(
  `SIGTERM under ${CALLERS} callers that keep their connections, over %s and with a notice of %i s: none is cut off`,
  async (protocol, notice, callerOf) => {
    const { serve, baseUrl, model } = await startWorld(`drain_seconds: 5, notice_seconds: ${notice}`);
    const call = callerOf(baseUrl);
    const counts = { answered: 0, refused: 0, told: 0, gone: 0, cut: 0 };
    const refused: string[] = [];
    const callOn = async (n: number): Promise<void> => {
      for (let i = 0; ; i++) {
        const id = `keep-${n}-${i}`;
        const end = await call(makeSend(`a${1 + (n % AGENTS)}`, id, 2, 10));
        counts[end]++;
        if (end === "refused") refused.push(id);
        if (end !== "answered" && end !== "refused") return;
      }
    };
    const calling = Promise.all(Array.from({ length: CALLERS }, (_, n) => callOn(n)));
    await until("all are at it", () => counts.answered > 300, 60_000);
    const before = counts.answered;
    serve.program.kill("SIGTERM");
    await calling;
    expect((await serve.program.exited).code).toBe(0);
    console.log(
      `${CALLERS} callers over ${protocol}, notice ${notice} s: ${counts.answered - before} answered after SIGTERM, ${counts.refused} refused and sent again, ${counts.told} told, ${counts.gone} came after the end, ${counts.cut} cut`,
    );
    expect(counts.cut).toBe(0);
    // On a busy machine it may be over before any of them asks again: then none is told, and all find it gone.
    expect(counts.told + counts.gone).toBe(CALLERS);
    const ran = model.calls();
    expect(refused.filter((id) => ran.has(id))).toEqual([]);
  },
);

/** The status of a message over a connection that is kept; rejects if there is none. */
function post(agent: Agent, url: string, content: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const req = request(url, { method: "POST", agent }, (res) => {
      res.resume();
      res.once("end", () => resolve(res.statusCode ?? 0)).once("error", reject);
    });
    req.once("error", reject);
    req.end(JSON.stringify({ content }));
  });
}

test(`SIGTERM to every agent under ${STREAMS} streams: each run has one end, and is the model's text if that is done`, async () => {
  const { model, agents, client } = await startWorld("drain_seconds: 1", ["--drain-seconds", "2"]);
  const slow = sends("agent").map((send, n) =>
    n % 2 === 0 ? send : makeSend(send.agentId, send.id, 60, PACE_MS),
  );
  const endings = slow.map((send) => sendToEnd(client, send));
  await until("every run is under way", () => model.calls().size === STREAMS, 60_000);
  for (const { program } of agents) program.kill("SIGTERM");
  const codes = await Promise.all(agents.map(async ({ program }) => (await program.exited).code));
  await Promise.all(agents.map((agent) => agent.start()));
  const all = await Promise.all(endings);
  const counts = { done: 0, cancelled: 0 };
  for (const { how } of all) counts[how === "done" ? "done" : "cancelled"]++;
  console.log(`${STREAMS} runs, SIGTERM to their agents with a drain of 2 s: ${JSON.stringify(counts)}`);
  expect(codes).toEqual([0, 0, 0, 0]);
  expect(all.flatMap(({ faults }) => faults)).toEqual([]);
  expect(all.map(({ how }) => how).filter((how) => how !== "done" && how !== "RUN_CANCELLED")).toEqual([]);
  expect(counts.done).toBeGreaterThan(0);
  expect([...model.calls().values()].every((count) => count === 1)).toBe(true);
});
