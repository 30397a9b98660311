import { setTimeout as sleep } from "node:timers/promises";
import { isTransient, ValinorError } from "../../clients/ts/src/errors.ts";
import type { ValinorClient } from "../../clients/ts/src/index.ts";
import { type Answer, hashOf, messageOf, readMessage } from "./answers.ts";

/** One idempotent message. */
export interface Send {
  readonly agentId: string;
  readonly id: string;
  readonly message: string;
  readonly answer: Answer;
}

/** How the reading of a message ended. */
export interface Ending {
  /** `done`, or the reason of the error; with the agent's code if it has one. */
  readonly how: string;
  /** What was read that breaks a promise; empty if nothing was. */
  readonly faults: readonly string[];
  /** Times that the reading was cut and went on. */
  readonly resumes: number;
  readonly ms: number;
}

/** Makes a message. */
export function makeSend(agentId: string, id: string, pieces: number, paceMs: number): Send {
  const message = messageOf(id, pieces, paceMs);
  const read = readMessage(message);
  if (read === undefined) throw new Error(`not a message: ${message}`);
  return { agentId, id, message, answer: read.answer };
}

/** Longest time that a message may take with all that is done to it, milliseconds. */
const PATIENCE_MS = 240_000;

/** Sends a message, under its one request_id, until it has an ending that no retry can change. Never rejects. */
export async function sendToEnd(client: ValinorClient, send: Send): Promise<Ending> {
  const began = performance.now();
  let resumes = 0;
  for (;;) {
    const { how, faults, transient } = await readOnce(client, send, () => resumes++);
    const ms = performance.now() - began;
    if (!transient) return { how, faults, resumes, ms };
    if (ms > PATIENCE_MS)
      return { how, faults: [...faults, `no end within ${PATIENCE_MS} ms: ${how}`], resumes, ms };
    await sleep(100);
  }
}

async function readOnce(client: ValinorClient, { agentId, id, message, answer }: Send, onRetry: () => void) {
  const faults: string[] = [];
  let text = "";
  let last = 0;
  let ends = 0;
  const options = {
    requestId: id,
    giveUpAfterMs: 60_000,
    silenceMs: 18_000,
    onDisconnect: "continue",
    onRetry,
  } as const;
  try {
    for await (const event of client.stream(agentId, message, options)) {
      if (ends > 0) faults.push(`${event.type} after the end`);
      if (event.type === "opened") continue;
      if (event.sequence !== last + 1) faults.push(`event ${event.sequence} after ${last}`);
      last = event.sequence;
      if (event.type === "text") text += event.text;
      if (event.type === "done") ends++;
    }
  } catch (error) {
    if (ends > 0) faults.push("an error after the end");
    if (!(error instanceof ValinorError))
      return { how: String(error), faults: [`not told: ${String(error)}`], transient: false };
    const whole = answer.pieces.join("");
    if (!whole.startsWith(text)) faults.push("the text before the error is another one");
    const code = error.metadata["code"];
    const how = code === undefined ? error.reason : `${error.reason} ${code}`;
    return { how, faults, transient: isTransient(error) };
  }
  if (ends !== 1) faults.push(`${ends} ends`);
  if (hashOf(text) !== hashOf(answer)) faults.push("the text is another one");
  return { how: "done", faults, transient: false };
}
