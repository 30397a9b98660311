import { buildConsole } from "../../scripts/web/build.ts";

/** Builds the console before its tests, if its sources have changed. */
export async function setup(): Promise<void> {
  await buildConsole();
}
