import { Failure, prescan } from "@valinor/protocol";

/** Text under this many UTF-16 units is parsed at once: whatever it holds, that takes no time worth a look before. */
const SMALL = 4_096;

/**
 * Parses JSON of a model. Throws SyntaxError for text that is not JSON, Failure `too_large` if it nests deeper or has more values than a
 * frame of the link may: parsing that would take the agent a second and hundreds of megabytes.
 */
export function parseModelJson(text: string): unknown {
  if (text.length >= SMALL) {
    const bytes = Buffer.from(text);
    const wrong = prescan(bytes, 0, bytes.length);
    if (wrong !== undefined) throw new Failure("too_large", `the model's answer has ${wrong}`);
  }
  return JSON.parse(text) as unknown;
}
