import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { record } from "./figures.ts";
import { absent } from "./guest/absent.ts";
import { present } from "./guest/present.ts";
import { RESULT, type Result } from "./guest/results.ts";
import { boot, BOOT_MS, type Machine } from "./machine.ts";

/** Time for all cases together. */
const CASES_MS = 200_000;

const cases = [...absent, ...present];

// The cases run in a guest without a vsock device, over its kernel's loopback; here are their results.
describe.skipIf(inject("reason") !== "")("vsock in a guest", () => {
  let machine: Machine;
  let results: Map<string, Result>;

  beforeAll(
    async () => {
      machine = await boot("/valinor/loopback.sh", undefined, ["valinor.modules=none"]);
      await machine.qemu.waitFor(/init: .* ended/, { ms: BOOT_MS + CASES_MS });
      const lines = machine.qemu.stdout().split(/\r?\n/);
      const told = lines.flatMap((line) => {
        const at = line.indexOf(RESULT);
        return at < 0 ? [] : [JSON.parse(line.slice(at + RESULT.length)) as Result];
      });
      results = new Map(told.map((result) => [result.name, result]));
      for (const { figures } of told) for (const { name, value, unit } of figures) record(name, value, unit);
    },
    BOOT_MS + CASES_MS + 10_000,
  );

  afterAll(() => machine.kill());

  it.each(cases.map(({ name }) => name))("%s", (name) => {
    const result = results.get(name);
    expect(result, `the guest tells nothing of it:\n${machine.qemu.stdout().slice(-2_000)}`).toBeDefined();
    expect(result?.error).toBe("");
  });
});
