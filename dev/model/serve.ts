import { explainStartError, untilStopped } from "@valinor/cli/internal";
import { startScriptedModel } from "./scripted-model.ts";

/** Runs the scripted model until a signal ends it. Rejects with CliError if its port is taken. */
export async function serveModel(options: { port: number }): Promise<void> {
  const model = await startScriptedModel(options).catch((error: unknown) => {
    throw explainStartError(error, "scripted model", options.port);
  });
  process.stdout.write(`scripted model listening on ${model.url}\n`);
  await untilStopped();
  await model.close();
}
