/**
 * A client on grpc-js of a Valinor server: `node interop-js.ts --case=... --target=HOST:PORT ...`. It does what interop-go does, with the
 * same flags, and prints the same.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { AgentProxy, OnDisconnect } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { call, countTraffic, type Ending, openChannel, shown } from "./interop-js-channel.ts";

const string = { type: "string", default: "" } as const;
const boolean = { type: "boolean", default: false } as const;
const { values: flags } = parseArgs({
  options: {
    case: string,
    target: string,
    ca: string,
    token: string,
    message: string,
    id: string,
    count: { ...string, default: "1" },
    after: string,
    bytes: string,
    deadline: { ...string, default: "60000ms" },
    pings: string,
    idle: string,
    "cancel-run": boolean,
    gzip: boolean,
  },
});
const ms = (text: string) => Number(text.replace(/ms$/, ""));
const { id, message, token } = flags;
const [count, after, bytes, idleMs] = [
  Number(flags.count),
  Number(flags.after),
  Number(flags.bytes),
  ms(flags.idle),
];

const traffic = countTraffic();
const channel = openChannel({ ...flags, pingsMs: ms(flags.pings) });
const wishes = () => ({ token, deadline: Date.now() + ms(flags.deadline) });

const print = (line: object) => console.log(JSON.stringify(line));

/** Makes a unary call, and prints how it ended. */
async function send(content: string): Promise<void> {
  const request = { agentId: "demo", requestId: id, message: { role: "user", content } };
  let text = "";
  const { ended } = call(channel, AgentProxy.method.sendMessage, request, wishes(), (answer) => {
    text = answer.content;
  });
  const ending = await ended;
  print({ type: "send", ...ending, ...shown(text) });
}

/** Asks for the agent's status, which is no run. */
async function status(): Promise<void> {
  const request = { agentId: "demo" };
  const ending = await call(channel, AgentProxy.method.getAgentStatus, request, wishes(), () => {}).ended;
  print({ type: "status", ...ending, ...shown("") });
}

interface Read extends Ending {
  type: string;
  id: string;
  text: string;
  last: number;
  done: boolean;
}

interface ReadWishes {
  readonly id: string;
  /** Absent: attach. */
  readonly content?: string;
  readonly after?: number;
  /** Leaves at the event of this number. */
  readonly until?: number;
  readonly more?: () => void;
}

/** Makes a streaming call; resolves with how it ended. */
async function read(what: ReadWishes): Promise<Read> {
  const seen = { type: "stream", id: what.id, text: "", last: what.after ?? 0, done: false };
  const request = {
    agentId: "demo",
    requestId: what.id,
    afterSequence: what.after ?? 0,
    onDisconnect: flags["cancel-run"] ? OnDisconnect.CANCEL : OnDisconnect.CONTINUE,
    ...(what.content !== undefined && { message: { role: "user", content: what.content } }),
  };
  const { ended, cancel } = call(
    channel,
    AgentProxy.method.stream,
    request,
    wishes(),
    ({ sequence, event }) => {
      if (sequence > 0) seen.last = sequence;
      if (event.case === "textDelta") seen.text += event.value.text;
      if (event.case === "done") seen.done = true;
      what.more?.();
      if (what.until !== undefined && sequence >= what.until) cancel();
    },
  );
  const ending = await ended;
  return { ...seen, ...ending, ...shown(seen.text) };
}

async function whileReading(make: () => Promise<void>): Promise<void> {
  const stream = read({ id, content: message }).then(print);
  await make();
  await stream;
}

async function drain(): Promise<void> {
  const begun: Promise<void>[] = [];
  const streams = Array.from({ length: count }, (_, i) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    begun.push(promise);
    return read({ id: `${id}-${i}`, content: message, more: resolve });
  });
  await Promise.all(begun);
  print({ type: "ready" });
  const reading = { open: true };
  const all = Promise.all(streams).finally(() => (reading.open = false));
  while (reading.open) {
    await send("!echo meanwhile");
    await delay(20);
  }
  const lines = await all;
  for (const line of lines) print(line);
  await Promise.all(lines.map((line) => goOn(line)));
}

/** Reads the rest of a run, as goOn of drain.go does. */
async function goOn({ id: run, last }: Read): Promise<void> {
  let from = last;
  for (const end = performance.now() + ms(flags.deadline); performance.now() < end; await delay(200)) {
    await connected();
    const rest = await read({ id: run, after: from });
    print({ ...rest, type: "rest" });
    if (rest.code !== "UNAVAILABLE") return;
    from = rest.last;
  }
}

/** Waits for the channel to have a connection, as `WaitForReady` of grpc-go does. */
function connected(): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.waitForReady(wishes().deadline, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

const cases: Record<string, () => Promise<void>> = {
  send: () => send(message),
  stream: async () => print(await read({ id, after, ...(message !== "" && { content: message }) })),
  leave: async () => print(await read({ id, content: message, until: after })),
  async many() {
    await Promise.all(Array.from({ length: count }, () => (message === "" ? status() : send(message))));
  },
  over: () =>
    whileReading(async () => {
      await send("x".repeat(bytes));
      await send("!echo after");
    }),
  async idle() {
    await send("!echo before");
    await delay(idleMs);
    await send("!echo after");
  },
  busy: () =>
    whileReading(async () => {
      for (const end = performance.now() + idleMs; performance.now() < end; await delay(50))
        await send("!echo busy");
    }),
  drain,
};

const play = cases[flags.case];
if (play === undefined) throw new Error(`there is no case ${flags.case}`);
await play();
print({ type: "channel", ...traffic() });
channel.close();
