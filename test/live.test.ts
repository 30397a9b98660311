import { expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import { localCaller } from "../src/core/access/authorize.ts";
import { Live } from "../src/live.ts";
import { failureOf } from "./link/connect.ts";

const base = loadConfig({ env: {}, mode: "serve" });
const withRuns = (tenantRuns: number) => ({ ...base, quotas: { ...base.quotas, tenantRuns } });
const key = { tenant: "acme", id: "a1" };

it("counts runs by the quotas that hold now, and leaves those that are read their place", async () => {
  const live = new Live(withRuns(1));
  const { quota } = live;
  const leave = quota.run(localCaller);
  expect(() => quota.run(localCaller)).toThrow("1 runs in flight");
  live.replace(withRuns(2));
  quota.run(localCaller);
  quota.run(localCaller);
  expect(() => quota.run(localCaller)).toThrow("2 runs in flight");
  leave();
  expect(() => quota.run(localCaller)).toThrow("2 runs in flight");
});

it("goes on counting when another part of the configuration changes", () => {
  const live = new Live(withRuns(1));
  live.quota.run(localCaller);
  live.replace({ ...withRuns(1), refreshMs: base.refreshMs + 1 });
  expect(() => live.quota.run(localCaller)).toThrow("1 runs in flight");
});

it("seals secrets with the key that holds now, and opens those of the key before", async () => {
  const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const live = new Live({ ...base, secretKeys: [first] });
  const sealed = live.vault.seal(key, { token: "secret:open sesame" }, {});
  live.replace({ ...base, secretKeys: [second, first] });
  expect(live.vault.open(key, sealed)).toEqual({ token: "open sesame" });
  live.replace({ ...base, secretKeys: [second] });
  expect(await failureOf((async () => live.vault.open(key, sealed))())).toMatchObject({ code: "no_key" });
});
