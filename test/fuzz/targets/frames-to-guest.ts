import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { duplexPair } from "node:stream";
import { type Core, openCore } from "../../../agent/core.ts";
import { createLog } from "../../../agent/log.ts";
import { createFrameDecoder } from "../../../protocol/wire/decoder.ts";
import type { Frame } from "../../../protocol/wire/frame.ts";
import { frameBytes } from "../../helpers/frame-bytes.ts";
import { mutatedSessions, piecesOf, recordedBy } from "../frames.ts";
import { Finding, inTime, turns, type Target } from "../target.ts";

/** A good host's call after this many inputs. */
const CALL_EVERY = 50;

/** The guest's side of the link: it answers on ids that it was asked on, and a good host's calls go on beside it all. */
export const framesToGuest: Target = {
  name: "frames-to-guest",
  weight: 1.5,
  async open() {
    const model = await startFakeModel();
    const core = await openCore({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      openclawUrl: model.url,
      insecure: true,
      stateDir: undefined,
      log: createLog(() => {}),
      bounds: { drainMs: 0 },
    });
    const sessions = recordedBy("host");
    const all = sessions.flat();
    let runs = 0;
    return {
      make: (random) => mutatedSessions(sessions, random, all),
      async run(input) {
        const count = await attack(core, input);
        if (++runs % CALL_EVERY === 0) await callWell(core, `call-${runs}`);
        return count;
      },
      async close() {
        await core.kill();
        model.close();
      },
    };
  },
};

async function attack(core: Core, input: Buffer): Promise<number> {
  const [near, far] = duplexPair();
  let count = 0;
  let wrong: string | undefined;
  const decoder = createFrameDecoder((frame) => {
    count++;
    if (frame.type !== "ping" && frame.id !== "" && !input.includes(JSON.stringify(frame.id)))
      wrong ??= JSON.stringify(frame);
  });
  far.on("data", (bytes: Buffer) => decoder.push(bytes));
  far.on("error", () => {}); // the guest may close at any time
  core.links.accept(near);
  for (const piece of piecesOf(input)) far.write(piece);
  await turns(4);
  far.destroy();
  near.destroy();
  if (wrong !== undefined) throw new Finding(`the guest answers on an id that it was not given: ${wrong}`);
  return Math.max(1, count);
}

/** A message of a host that does everything right, and its whole answer. */
async function callWell(core: Core, requestId: string): Promise<void> {
  const [near, far] = duplexPair();
  const answer = Promise.withResolvers<Frame>();
  let text = "";
  const decoder = createFrameDecoder((frame) => {
    if (frame.id !== "good") return;
    if (frame.type === "chunk") text += String(frame.payload["content"]);
    if (frame.type === "error" || frame.payload["done"] === true) answer.resolve(frame);
  });
  far.on("data", (bytes: Buffer) => decoder.push(bytes));
  far.on("error", () => {});
  core.links.accept(near);
  far.write(frameBytes("hello", "", { token: "", protocol: 2 }));
  const message = {
    role: "user",
    content: "hello",
    request_id: requestId,
    credit: 262_144,
    on_disconnect: "cancel",
  };
  far.write(frameBytes("message", "good", message));
  const last = await inTime("a good host's call", answer.promise);
  far.destroy();
  near.destroy();
  // All places taken is an honest answer: the inputs before it began runs.
  if (last.type === "error" && last.payload["code"] === "busy") return;
  if (last.type === "error" || text !== "fine")
    throw new Finding(`a good host got ${text} ${JSON.stringify(last)}`);
}

/** A fake model that says `fine`. */
async function startFakeModel(): Promise<{ url: string; close: () => void }> {
  const server = createServer((req, res) => {
    req.resume();
    if (req.method === "GET") return void res.writeHead(404).end();
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.end(
      'data: {"choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
