import { createServer, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startAgent } from "../../../../agent/agent.ts";
import { createLog } from "../../../../agent/log.ts";
import type { Frame } from "../../../../protocol/wire/frame.ts";
import { connectHost, type FakeHost } from "../../fake-host.ts";
import { configUpdate, userSays } from "../../setup.ts";
import { azure } from "./azure.ts";
import { framing } from "./framing.ts";
import { llamacpp, lmstudio, localai, ollama } from "./local.ts";
import { openai } from "./openai.ts";
import { openclaw } from "./openclaw.ts";
import type { Row, Sees } from "./row.ts";
import { deepseek, sglang, vllm } from "./servers.ts";
import { anthropic, gateways, gemini, groq, mistral, openrouter } from "./services.ts";

const families = {
  openai,
  azure,
  ollama,
  llamacpp,
  lmstudio,
  localai,
  vllm,
  sglang,
  deepseek,
  gemini,
  mistral,
  groq,
  openrouter,
  gateways,
  anthropic,
  openclaw,
  framing,
};
const table = Object.entries(families).flatMap(([family, rows]) => rows.map((row) => ({ family, row })));

/** Bodies over this are sent whole alone. */
const BYTEWISE = 4_096;
/** Runs at once: an agent holds 64. */
const AT_ONCE = 32;

/** How a row's bytes are sent: all at once, and one by one. */
function waysOf({ body }: Row): readonly string[] {
  return body.length <= BYTEWISE ? ["whole", "bytewise"] : ["whole"];
}

/** A server whose answers are those of the table: a message is the place of a row there, and how its bytes are to be sent. */
const server = createServer((request, response) => {
  if (request.url === "/readyz") return void response.writeHead(404).end();
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  request.on("end", () => {
    const { messages } = JSON.parse(Buffer.concat(pieces).toString()) as { messages: { content: string }[] };
    const [place, how] = (messages.at(-1)?.content ?? "").split(" ");
    void answer((table[Number(place)] as { row: Row }).row, how === "bytewise", response);
  });
});

async function answer(row: Row, bytewise: boolean, response: ServerResponse): Promise<void> {
  const body = Buffer.from(row.body as Uint8Array);
  const type = body.toString("latin1", 0, 1) === "{" ? "application/json" : "text/event-stream";
  response.writeHead(row.status ?? 200, row.headers ?? { "content-type": type });
  response.flushHeaders();
  if (bytewise) {
    for (const byte of body) {
      response.write(Buffer.of(byte));
      await turn();
    }
  } else if (body.length > 0) response.write(body);
  if (row.broken === undefined) return void response.end();
  // What was written is read before the reset, which would take it away.
  setTimeout(() => response.destroy(), 100);
}

/** What a client sees of a row, sent in that way. */
async function see(host: FakeHost, place: number, how: string): Promise<Sees> {
  const frames = await host.message(userSays(`${place} ${how}`)).rest();
  const last = frames.at(-1) as Frame;
  const { content: _, done: __, sequence: ___, ...end } = last.payload as Record<string, unknown>;
  const text = frames
    .map(({ type, payload }) => (type === "chunk" ? String(payload["content"]) : ""))
    .join("");
  const calls = frames.filter(({ type }) => type === "tool_call").map(callOf);
  return {
    ...(text !== "" && { text }),
    ...(calls.length > 0 && { calls }),
    ...(last.type === "chunk" && endOf(end)),
    ...(last.type === "error" && { code: String(end["code"]), says: String(end["message"]) }),
    ...(last.type === "tool_blocked" && { blocked: String(end["tool_name"]) }),
  };
}

function callOf({ payload }: Frame) {
  const id = String(payload["call_id"]);
  const made = /^call_[0-9a-f]{24}$/.test(id);
  return { ...(!made && { id }), name: String(payload["tool_name"]), args: String(payload["arguments"]) };
}

function endOf({ finish_reason: finish, usage }: Record<string, unknown>) {
  const {
    prompt_tokens: prompt,
    completion_tokens: answered,
    total_tokens: total,
  } = (usage ?? {}) as Record<string, number>;
  return {
    finish: String(finish),
    ...(usage !== undefined && { usage: [prompt, answered, total] as [number, number, number] }),
  };
}

/** What was seen of each row, by its place and how its bytes were sent. */
const seen = new Map<string, Sees>();
let agent: Awaited<ReturnType<typeof startAgent>>;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  agent = await startAgent({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    insecure: true,
    log: createLog(() => {}),
    openclawUrl: `http://127.0.0.1:${port}`,
  });
  const host = await connectHost(agent.address);
  await host.link.take();
  await host.greet();
  const tasks = table.flatMap(({ row }, place) => waysOf(row).map((how) => ({ place, row, how })));
  let revision = 0;
  // Rows of one policy run side by side: a run keeps the configuration that it began with.
  for (const group of Map.groupBy(tasks, ({ row }) => row.tools?.join(" ")).values()) {
    await host.ask(
      "config_update",
      configUpdate(++revision, {}, group[0]?.row.tools as string[] | undefined),
    );
    const left = [...group];
    const work = async () => {
      for (let task = left.shift(); task !== undefined; task = left.shift()) {
        seen.set(`${task.place} ${task.how}`, await see(host, task.place, task.how));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
  host.close();
}, 60_000);

afterAll(() => {
  agent.kill();
  server.close();
  server.closeAllConnections();
});

describe.each(Object.keys(families))("of %s", (family) => {
  const rows = table.map((entry, place) => ({ ...entry, place })).filter((entry) => entry.family === family);
  it.each(rows.map(({ row, place }) => [row.name, row, place] as const))("%s", (_, row, place) => {
    const all = waysOf(row);
    expect(all.map((how) => seen.get(`${place} ${how}`))).toEqual(all.map(() => row.sees));
  });
});

it("the table has at least sixty answers, and no two of a family have one name", () => {
  expect(table.length).toBeGreaterThanOrEqual(60);
  expect(new Set(table.map(({ family, row }) => `${family} ${row.name}`)).size).toBe(table.length);
});
