import { basename, join } from "node:path";
import { rolldown } from "rolldown";

/** Programs of the guest beside the agent. */
const programs = ["scripts/vm/model.ts", "test/vm/guest/control.ts", "test/vm/guest/loopback.ts"];

const top = join(import.meta.dirname, "../..");
const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: bundle.ts DIRECTORY");

// One file a program, and no types: reading hundreds of files and stripping their types takes an emulated processor long.
for (const program of programs) {
  const bundle = await rolldown({ input: join(top, program), platform: "node" });
  const file = join(directory, `${basename(program, ".ts")}.mjs`);
  await bundle.write({ file, format: "esm", codeSplitting: false });
  await bundle.close();
}
