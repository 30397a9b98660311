import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { spawnProgram } from "../helpers/process.ts";

const bin = join(import.meta.dirname, "../../bin/valinor.js");

/** Starts a server with options of Node; answers the options that its process has, once it listens. */
async function optionsOf(node: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
  const server = spawnProgram(process.execPath, [...node, bin, "serve", "--port", "0"], {
    env: { VALINOR_STORE_URL: "sqlite::memory:", NODE_OPTIONS: undefined, ...env },
  });
  const [, pid] = await server.waitFor(/"pid":(\d+)/);
  // Whoever started it may signal it, and waits for its end.
  expect(Number(pid)).toBe(server.pid);
  const command = readFileSync(`/proc/${server.pid}/cmdline`, "utf8").split("\0");
  server.kill("SIGTERM");
  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(server.stderr()).toBe("");
  return command.slice(1, command.indexOf(bin));
}

describe.runIf(process.platform === "linux")("a server that is started by bin/valinor.js", () => {
  it("has a young generation that is collected quickly, in the process that was started", async () => {
    expect(await optionsOf([])).toEqual(["--max-semi-space-size=8"]);
  });

  it("keeps the options that it was given", async () => {
    expect(await optionsOf(["--stack-trace-limit=20"])).toEqual([
      "--max-semi-space-size=8",
      "--stack-trace-limit=20",
    ]);
  });

  it("leaves a size alone that the user has chosen", async () => {
    expect(await optionsOf(["--max-semi-space-size=16"])).toEqual(["--max-semi-space-size=16"]);
    expect(await optionsOf([], { NODE_OPTIONS: "--max-semi-space-size=16" })).toEqual([]);
  });
});
