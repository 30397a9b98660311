import { expect, it } from "vitest";
import { boundsWith } from "../../../agent/bounds.ts";
import { freshBoot } from "../../../agent/kernel/snapshot.ts";
import { noConfig } from "../../../agent/settings/config-in-force.ts";

it("a process that starts has nothing but a new boot and the ledger of earlier ones", () => {
  const boot = freshBoot({ bootId: "b", taken: [] }, boundsWith({}), 7);
  expect(boot).toMatchObject({
    bootId: "b",
    startedAt: 7,
    drainUntil: undefined,
    server: { state: "starting", kind: undefined, kindReason: "" },
    config: noConfig,
    runs: [],
  });
  expect(boot.context.size).toBe(0);
});

it("a process that starts knows the kind of its server if somebody told it", () => {
  const server = { state: "starting", kind: "plain", kindReason: "--server-kind" } as const;
  expect(freshBoot({ bootId: "b", taken: [], server }, boundsWith({}), 7).server).toEqual(server);
});
