import { expect, it } from "vitest";
import { createLifecycle, untilCut } from "../../src/core/lifecycle.ts";

it("goes through every stage in order, tells each once, and never goes back", () => {
  const lifecycle = createLifecycle();
  const told: string[] = [];
  for (const stage of ["leaving", "draining", "ending", "cutting"] as const)
    lifecycle.on(stage, () => told.push(`${stage} at ${lifecycle.stage}`));
  lifecycle.enter("draining");
  lifecycle.enter("leaving");
  expect(told).toEqual(["leaving at leaving", "draining at draining"]);
  expect(lifecycle.reached("leaving")).toBe(true);
  expect(lifecycle.reached("ending")).toBe(false);
  lifecycle.enter("cutting");
  lifecycle.enter("cutting");
  expect(told.slice(2)).toEqual(["ending at ending", "cutting at cutting"]);
});

it("tells at once of a stage that is reached, and not of one that was forgotten", () => {
  const lifecycle = createLifecycle();
  let told = 0;
  const forget = lifecycle.on("ending", () => told++);
  forget();
  lifecycle.enter("ending");
  expect(told).toBe(0);
  lifecycle.on("ending", () => told++);
  expect(told).toBe(1);
});

it("leaves a call its own end until the server waits no longer", async () => {
  const lifecycle = createLifecycle();
  expect(await untilCut(lifecycle, Promise.resolve("done"))).toBe("done");
  await expect(untilCut(lifecycle, Promise.reject(new Error("its own")))).rejects.toThrow("its own");
  const hanging = untilCut(lifecycle, new Promise(() => {}));
  lifecycle.enter("cutting");
  await expect(hanging).rejects.toMatchObject({ reason: "DRAINING", metadata: {} });
});
