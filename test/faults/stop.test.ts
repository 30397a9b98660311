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
  const { model, serve, client } = await startWorld("drain_seconds: 1, notice_seconds: 0.5");
  const endings = sends("restart").map((send) => sendToEnd(client, send));
  await until("every run is under way", () => model.calls().size === STREAMS, 60_000);
  serve.program.kill("SIGTERM");
  expect((await serve.program.exited).code).toBe(0);
  await serve.start();
  const all = await Promise.all(endings);
  console.log(
    `${STREAMS} messages over a restart: ${all.filter(({ how }) => how === "done").length} answered`,
  );
  expect(all.flatMap(({ faults }) => faults)).toEqual([]);
  expect(all.filter(({ how }) => how !== "done")).toEqual([]);
  expect([...model.calls().values()].every((count) => count === 1)).toBe(true);
});

test(`SIGTERM to every agent under ${STREAMS} streams: each run has one end, and is the model's text where that is done`, async () => {
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
