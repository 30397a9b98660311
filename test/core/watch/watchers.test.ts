import { expect, it } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { createLifecycle } from "../../../src/core/lifecycle.ts";
import { Changes } from "../../../src/core/watch/watch-changes.ts";
import { Watchers } from "../../../src/core/watch/watchers.ts";

const limits = { all: 4, tenant: 3, credential: 2 };
const caller = (tenant: string, credential: string) => ({ ...localCaller, tenant, credential });
const changes = () => new Changes(0, 10);

it("says whose share of watchers is used up, and gives a place back once", () => {
  const watchers = new Watchers(limits, createLifecycle());
  const leave = watchers.join(caller("a", "1"), changes());
  watchers.join(caller("a", "1"), changes());
  expect(() => watchers.join(caller("a", "1"), changes())).toThrow("this credential has 2 watchers");
  watchers.join(caller("a", "2"), changes());
  expect(() => watchers.join(caller("a", "2"), changes())).toThrow("this tenant has 3 watchers");
  watchers.join(caller("b", "1"), changes());
  expect(() => watchers.join(caller("c", "1"), changes())).toThrow("this server has 4 watchers");
  leave();
  leave();
  watchers.join(caller("c", "1"), changes());
  expect(() => watchers.join(caller("c", "2"), changes())).toThrow("this server has 4 watchers");
});

it("wakes every watcher when the server begins to drain", async () => {
  const lifecycle = createLifecycle();
  const watchers = new Watchers(limits, lifecycle);
  const [first, second] = [changes(), changes()];
  watchers.join(caller("a", "1"), first);
  watchers.join(caller("b", "1"), second);
  const { signal } = new AbortController();
  let woken = 0;
  const waiting = [first, second].map((each) => each.wait(60_000, signal).then(() => woken++));
  lifecycle.enter("draining");
  await Promise.all(waiting);
  expect(woken).toBe(2);
});
