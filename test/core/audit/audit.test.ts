import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createAudit } from "../../../src/core/audit/audit.ts";
import type { NewAuditEntry } from "../../../src/store/audit.ts";

const eve = { tenant: "acme", subject: "eve", credential: "key:k1" };

/** A store that takes entries, or fails while `down`, or does not answer while `hangs`. */
function recorder() {
  const batches: (readonly NewAuditEntry[])[] = [];
  const errors: unknown[] = [];
  const store = {
    down: false,
    hangs: false,
    attempts: 0,
    async appendAudit(entries: readonly NewAuditEntry[]) {
      store.attempts++;
      if (store.hangs) await new Promise(() => {});
      if (store.down) throw new Error("the disk is full");
      batches.push(entries);
    },
  };
  const audit = createAudit({ store, onError: (error) => errors.push(error) });
  return { audit, store, batches, errors, entries: () => batches.flat() };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("The audit log's writer", () => {
  test("writes entries that come together in one transaction, soon", async () => {
    const { audit, batches } = recorder();
    audit.note(eve, "denied", "a1", { call: "send" });
    audit.note(eve, "tool.blocked", "a1", { tool: "exec" });
    expect(batches).toEqual([]);
    await vi.advanceTimersByTimeAsync(150);
    expect(batches).toEqual([
      [
        { ...eve, action: "denied", agentId: "a1", detail: { call: "send" } },
        { ...eve, action: "tool.blocked", agentId: "a1", detail: { tool: "exec" } },
      ],
    ]);
  });

  test("writes at most 100 entries a transaction, one transaction at a time", async () => {
    const { audit, batches } = recorder();
    for (let n = 0; n < 150; n++) audit.note(eve, "denied", `a${n}`, {});
    await vi.advanceTimersByTimeAsync(150);
    expect(batches.map((batch) => batch.length)).toEqual([100, 50]);
  });

  test("writes few of the refusals of strangers, who can make up any key, and counts the others", async () => {
    const { audit, entries } = recorder();
    const nobody = { tenant: "", subject: "" };
    for (let n = 0; n < 1_000; n++) audit.note({ ...nobody, credential: `key:${n}` }, "denied", "", {});
    audit.note(eve, "denied", "a1", {});
    await vi.advanceTimersByTimeAsync(11_000);
    expect(entries()).toHaveLength(22);
    expect(entries().at(-1)).toMatchObject({ action: "audit.dropped", detail: { count: 980 } });
    expect(entries()).toContainEqual(expect.objectContaining(eve));
  });

  test("counts a refusal that is repeated within 10 s instead of writing it again", async () => {
    const { audit, entries } = recorder();
    for (let n = 0; n < 5_000; n++) audit.note(eve, "denied", "a1", { call: "send" });
    await vi.advanceTimersByTimeAsync(9_000);
    expect(entries().map(({ detail }) => detail)).toEqual([{ call: "send" }]);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(entries().map(({ detail }) => detail)).toEqual([{ call: "send" }, { call: "send", count: 4_999 }]);
    audit.note(eve, "denied", "a1", { call: "send" });
    await vi.advanceTimersByTimeAsync(150);
    expect(entries()).toHaveLength(3);
  });

  test.each([
    ["tenant", { ...eve, tenant: "other" }, "a1", { call: "send" }],
    ["subject", { ...eve, subject: "mallory" }, "a1", { call: "send" }],
    ["credential", { ...eve, credential: "key:k2" }, "a1", { call: "send" }],
    ["agent", eve, "a2", { call: "send" }],
    ["detail", eve, "a1", { call: "stream" }],
  ] as const)("writes a refusal that differs in its %s", async (_what, who, agentId, detail) => {
    const { audit, entries } = recorder();
    audit.note(eve, "denied", "a1", { call: "send" });
    audit.note(who, "denied", agentId, detail);
    await vi.advanceTimersByTimeAsync(150);
    expect(entries()).toHaveLength(2);
  });

  test("writes at most 200 different entries of a tenant in 10 s, counts the others, and lets other tenants be", async () => {
    const { audit, entries } = recorder();
    for (let n = 0; n < 10_000; n++) audit.note(eve, "denied", `a${n}`, {});
    audit.note({ ...eve, tenant: "other" }, "denied", "a1", {});
    await vi.advanceTimersByTimeAsync(11_000);
    expect(entries().filter(({ tenant }) => tenant === "other")).toHaveLength(1);
    const acme = entries().filter(({ tenant }) => tenant === "acme");
    expect(acme).toHaveLength(201);
    expect(acme.at(-1)).toMatchObject({ action: "audit.dropped", detail: { count: 9_800 } });
  });

  test("keeps entries while the store fails, says so once, and writes them when it is back", async () => {
    const { audit, store, entries, errors } = recorder();
    store.down = true;
    audit.note(eve, "denied", "a1", {});
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.attempts).toBeGreaterThan(2);
    expect(store.attempts).toBeLessThan(200);
    expect(errors).toHaveLength(1);
    store.down = false;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(entries()).toMatchObject([{ action: "denied", agentId: "a1" }]);
  });

  test("holds 1,000 entries while the store fails, and writes how many more there were", async () => {
    const { audit, store, entries } = recorder();
    store.down = true;
    for (let t = 0; t < 6; t++) {
      for (let n = 0; n < 200; n++) audit.note({ ...eve, tenant: `t${t}` }, "denied", `a${n}`, {});
    }
    await vi.advanceTimersByTimeAsync(1_000);
    store.down = false;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(entries().filter(({ action }) => action === "denied")).toHaveLength(1_000);
    expect(entries().filter(({ action }) => action === "audit.dropped")).toMatchObject([
      { tenant: "", detail: { count: 200 } },
    ]);
  });

  test("bounds what is written: texts, lists, nesting, the whole detail", async () => {
    const { audit, entries } = recorder();
    const long = "x".repeat(100_000);
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`key${n}`, long]));
    const deep = { a: { b: { c: { d: { e: "too deep" } } } } };
    audit.note({ ...eve, subject: long }, "denied", long, {
      long,
      list: Array.from({ length: 1_000 }, () => long),
      many,
      deep,
    });
    await vi.advanceTimersByTimeAsync(150);
    const [entry] = entries();
    expect(entry?.subject.length).toBe(300);
    expect(entry?.agentId.length).toBe(300);
    expect(JSON.stringify(entry?.detail).length).toBeLessThanOrEqual(4_096);
    expect(entry?.detail["truncated"]).toBe(true);
    expect(entry?.detail["long"]).toMatch(/^x{297}\.\.\.$/);
    expect(JSON.stringify(entry?.detail)).not.toContain("too deep");
  });

  test("writes texts that no database refuses", async () => {
    const { audit, entries } = recorder();
    audit.note({ ...eve, subject: "e\0ve" }, "denied", "\ud800", { call: "a\0b" });
    await vi.advanceTimersByTimeAsync(150);
    expect(entries()).toMatchObject([
      { subject: "e\u{fffd}ve", agentId: "\u{fffd}", detail: { call: "a\u{fffd}b" } },
    ]);
  });

  test("writes what waits and what was only counted when it is closed", async () => {
    const { audit, entries } = recorder();
    audit.note(eve, "denied", "a1", {});
    audit.note(eve, "denied", "a1", {});
    await audit.close();
    expect(entries().map(({ detail }) => detail)).toEqual([{}, { count: 1 }]);
    await audit.close();
    audit.note(eve, "denied", "a2", {});
    await vi.advanceTimersByTimeAsync(20_000);
    expect(entries()).toHaveLength(2);
  });

  test.each(["down", "hangs"] as const)(
    "closes within 2 s if the store %s, and says what was lost",
    async (how) => {
      const { audit, store, errors } = recorder();
      store[how] = true;
      audit.note(eve, "denied", "a1", {});
      const closed = audit.close();
      await vi.advanceTimersByTimeAsync(2_200);
      await closed;
      expect(String(errors.at(-1))).toContain("1 entries of the audit log were not written");
      expect(store.attempts).toBeLessThan(40);
    },
  );
});
