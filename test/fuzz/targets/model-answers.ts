import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { boundsWith } from "../../../agent/bounds.ts";
import type { ModelEvent } from "../../../agent/runs/model.ts";
import { Failure } from "../../../protocol/link/guest/failure.ts";
import { readAnswer } from "../../../agent/openclaw/answer/answer.ts";
import { piecesOf } from "../frames.ts";
import { mutateBytes, mutateJson, pick } from "../mutate.ts";
import { Finding, type Target } from "../target.ts";

const bounds = boundsWith(undefined);

/** A model's answers: whatever comes, and however it is cut, the same events or the same failure. */
export const modelAnswers: Target = {
  name: "model-answers",
  weight: 0.7,
  async open() {
    const folder = join(import.meta.dirname, "../corpus/model");
    const bodies = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
    return {
      make(random) {
        const body = pick(bodies, random);
        const lines = body.toString().split("\n");
        const changed = lines
          .map((line) => (random.chance(0.3) ? mutateLine(line, random) : line))
          .join("\n");
        return random.chance(0.5)
          ? Buffer.from(changed)
          : mutateBytes(Buffer.from(changed), random, pick(bodies, random));
      },
      async run(input) {
        const type = input.length % 2 === 0 ? "text/event-stream" : "application/json";
        const whole = await readAll([input], type);
        const cut = await readAll(piecesOf(input), type);
        if (whole !== cut) throw new Finding(`cut into pieces: ${cut}\nwhole: ${whole}`);
        return 2;
      },
      close: async () => {},
    };
  },
};

function mutateLine(line: string, random: Parameters<typeof mutateJson>[1]): string {
  const at = line.indexOf("{");
  if (at < 0) return line;
  try {
    return line.slice(0, at) + JSON.stringify(mutateJson(JSON.parse(line.slice(at)), random));
  } catch {
    return line; // a body that is no JSON is mutated as bytes
  }
}

/** What an answer tells, as one text: how it was cut must not show. */
async function readAll(pieces: readonly Buffer[], type: string): Promise<string> {
  let text = "";
  const others: string[] = [];
  const take = (events: readonly ModelEvent[]): undefined => {
    for (const event of events) {
      if (event.kind === "text") text += event.text;
      else others.push(JSON.stringify(event));
    }
  };
  const end = await eventsOr(() =>
    readAnswer({ body: Readable.from(pieces), type, encoding: "" }, bounds, take),
  );
  // A call without an id is given a random one.
  return JSON.stringify({ text, others, end }).replace(/call_[0-9a-f]{24}/g, "call_random");
}

async function eventsOr(read: () => Promise<unknown>): Promise<string> {
  try {
    await read();
    return "ended";
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.code;
  }
}
