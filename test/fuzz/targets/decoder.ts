import { createFrameDecoder } from "../../../protocol/wire/decoder.ts";
import { LinkError } from "../../../protocol/wire/errors.ts";
import { mutatedSessions, piecesOf, recordedBy } from "../frames.ts";
import { Finding, type Target } from "../target.ts";

/** The decoder of frames: whatever comes, and however it is cut, it delivers the same frames and fails in the same way. */
export const decoder: Target = {
  name: "decoder",
  weight: 0.5,
  async open() {
    const sessions = [...recordedBy("host"), ...recordedBy("guest")];
    const all = sessions.flat();
    return {
      make: (random) => mutatedSessions(sessions, random, all),
      run: async (input) => {
        const whole = decode([input]);
        const cut = decode(piecesOf(input));
        if (whole.told !== cut.told)
          throw new Finding(`cut into pieces it is ${cut.told}\nwhole it is ${whole.told}`);
        return whole.count;
      },
      close: async () => {},
    };
  },
};

function decode(pieces: readonly Buffer[]): { told: string; count: number } {
  const told: string[] = [];
  let count = 0;
  const feed = createFrameDecoder(({ type, id, payload, size }) => {
    count++;
    told.push(`${type} ${id} ${size} ${JSON.stringify(payload)}`);
  });
  try {
    for (const piece of pieces) feed.push(piece);
    told.push(feed.partial ? "inside a frame" : "between frames");
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    told.push(error.code);
  }
  return { told: told.join("\n"), count };
}
