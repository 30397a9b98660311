import { createHash } from "node:crypto";
import type { Target } from "../target.ts";

/** What a planted mistake does with the input `bad`. */
const mistakes: Readonly<Record<string, () => void>> = {
  nothing: () => {},
  throws() {
    throw new Error("a planted mistake");
  },
  "throws later, in nobody's call"() {
    void Promise.reject(new Error("a planted mistake"));
  },
  "holds the loop"() {
    const { user } = process.threadCpuUsage();
    while (process.threadCpuUsage().user - user < 150_000);
  },
  "ends the process": () => process.exit(9),
};

/** Targets with a mistake in them, to see that the fuzzer finds it. They are attacked only if they are named. */
export const planted: readonly Target[] = Object.entries(mistakes).map(([how, err]) => ({
  name: `planted: ${how}`,
  weight: 1,
  async open() {
    const made = createHash("sha256");
    let count = 0;
    return {
      make(random) {
        const input = Buffer.from(
          random.chance(0.01) && count > 250 ? "bad" : `good ${random.below(1_000_000)}`,
        );
        if (count < 500) made.update(input);
        if (++count === 500) console.log(`first inputs ${made.digest("hex")}`);
        return input;
      },
      async run(input) {
        if (input.toString() === "bad") err();
        return 1;
      },
      close: async () => {},
    };
  },
}));
