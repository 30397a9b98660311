import { randomBytes } from "node:crypto";
import { createInterface, type Interface } from "node:readline";
import { ValinorError } from "@valinor/client";
import type { Environment } from "../../terminal/environment.ts";
import { explainError } from "../errors/explain.ts";
import { note } from "../output.ts";
import { messageOptions, patience } from "./reading.ts";
import { type ServerOptions, type Session, withServer } from "../session.ts";
import { createPrinter } from "./stream.ts";

const PROMPT = "> ";

/** Flags of `valinor chat`. */
export interface ChatOptions extends ServerOptions {
  readonly conversation?: string;
  readonly allowStaleConfig?: boolean;
}

/** Why an answer is not read any more. */
class Stopped extends Error {
  override readonly name = "Stopped";
}

/**
 * A conversation: each line is a message. On a terminal Ctrl-C stops the answer and Ctrl-D ends, and an error is told and the
 * conversation goes on; from a pipe the first error ends it. Rejects with CliError.
 */
export async function chat(agent: string, options: ChatOptions, env: Environment): Promise<void> {
  await withServer(options, env, async (session) => {
    const conversation = options.conversation ?? `chat-${randomBytes(8).toString("hex")}`;
    const talk = { agent, conversation, allowStaleConfig: options.allowStaleConfig === true };
    if (process.stdin.isTTY) await onTerminal(session, talk);
    else await fromPipe(session, talk);
  });
}

interface Talk {
  readonly agent: string;
  readonly conversation: string;
  readonly allowStaleConfig: boolean;
}

async function fromPipe(session: Session, talk: Talk): Promise<void> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  session.signal.addEventListener("abort", () => lines.close());
  for await (const line of lines) {
    session.signal.throwIfAborted();
    if (line.trim() !== "") await answer(session, talk, line, session.signal);
  }
  session.signal.throwIfAborted();
}

async function onTerminal(session: Session, talk: Talk): Promise<void> {
  await session.client.status(talk.agent, session.call);
  note(`Talking to ${talk.agent}, conversation ${talk.conversation}. Ctrl-C stops an answer, Ctrl-D ends.`);
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: PROMPT,
    historySize: 1000,
    removeHistoryDuplicates: true,
  });
  let running: AbortController | undefined;
  // The terminal is in raw mode: Ctrl-C comes as a key, and as no signal.
  terminal.on("SIGINT", () => {
    if (running === undefined) clearLine(terminal);
    else running.abort(new Stopped("stopped"));
  });
  session.signal.addEventListener("abort", () => terminal.close());
  terminal.prompt();
  for await (const line of terminal) {
    if (line.trim() !== "") {
      running = new AbortController();
      const signal = AbortSignal.any([running.signal, session.signal]);
      await answer(session, talk, line, signal).catch((error: unknown) => tell(session, error));
      running = undefined;
    }
    session.signal.throwIfAborted();
    terminal.prompt();
  }
  session.signal.throwIfAborted();
  process.stdout.write("\n");
}

async function answer(session: Session, talk: Talk, line: string, signal: AbortSignal): Promise<void> {
  const reading = { ...messageOptions(talk), ...patience(signal) };
  const print = createPrinter();
  try {
    for await (const event of session.client.stream(talk.agent, line, reading)) print(event);
  } finally {
    print(undefined);
  }
}

/** Tells of what went wrong with one answer. Throws what ends the conversation. */
function tell(session: Session, error: unknown): void {
  session.signal.throwIfAborted();
  if (error instanceof Stopped) return note("[stopped]");
  if (!(error instanceof ValinorError)) throw error;
  const explained = explainError(error, session.target.url);
  if (explained.exitCode === 4 || explained.exitCode === 5) throw error;
  note(`valinor: ${explained.message}`);
}

function clearLine(terminal: Interface): void {
  // Ctrl-U, and Ctrl-K for what is right of the cursor: what was typed is gone, as in a shell.
  terminal.write(null, { ctrl: true, name: "u" });
  terminal.write(null, { ctrl: true, name: "k" });
}
