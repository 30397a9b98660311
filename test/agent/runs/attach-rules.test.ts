import { describe, expect, it } from "vitest";
import { HostEnd, Machine } from "../kernel/machine.ts";

const quiet = { hostSilenceMs: 1e9, heartbeatMs: 1e9 };

/** A run of so many texts, of which the journal keeps what fits; `host` has read none of it. */
function setup(texts: number, bounds: object = {}): { machine: Machine; host: HostEnd } {
  const machine = new Machine({ bounds: { ...quiet, ...bounds } });
  const host = machine.greeted();
  host.message("first", { request_id: "r", on_disconnect: "continue" });
  machine.record();
  host.send("detach", "first", {});
  machine.says(...Array.from({ length: texts }, (_, i) => `text ${i + 1}`));
  return { machine, host };
}

/** What one who attaches gets first: the number of its first event, or the code of an error. */
function attach(host: HostEnd, payload: object): unknown {
  const id = `x${host.got.length}`;
  host.send("message", id, { role: "", content: "", request_id: "r", ...payload });
  const [first] = host.of(id);
  return first?.type === "opened" ? first.payload["next_sequence"] : first?.payload["code"];
}

describe("one who attaches to a run in flight", () => {
  it("gets what follows the event that it has, and then what is still to come", () => {
    const { host } = setup(3);
    expect([0, 1, 3].map((after) => attach(host, { after_sequence: after }))).toEqual([1, 2, 4]);
  });

  it("has read another run if it has an event that this one does not", () => {
    expect(attach(setup(3).host, { after_sequence: 4 })).toBe("run_lost");
  });

  it("hears run_trimmed if the next event is gone, and only then", () => {
    const { host, machine } = setup(10, { journalRunBytes: 400 });
    const { first } = machine.kernel.snapshot(machine.now).runs[0]?.journal ?? { first: 0 };
    expect(first).toBeGreaterThan(2);
    expect(attach(host, { after_sequence: first - 2 })).toBe("run_trimmed");
    expect(attach(host, { after_sequence: first - 1 })).toBe(first);
  });

  it("is let in by the run's message, by none, and by no other", () => {
    const { host } = setup(1);
    expect(attach(host, { role: "user", content: "hi", extra: null, after_sequence: 0 })).toBe(
      "request_id_reused",
    );
    expect(attach(host, { role: "user", content: "hi" })).toBe(1);
    expect(attach(host, {})).toBe(1);
  });

  it("is let in by the run's life, or none, and by no other", () => {
    const { host, machine } = setup(1);
    const { life } = machine.call;
    expect(["", life, "other"].map((known) => attach(host, { run_life: known }))).toEqual([1, 1, "run_lost"]);
  });

  it("is let in by the mark of the event that it has seen, and by no other", () => {
    const { host, machine } = setup(2);
    const [mark] =
      machine.kernel.snapshot(machine.now).runs[0]?.journal.events.map((event) => event.mark) ?? [];
    const seen = (sequence: number, of: number | undefined) =>
      attach(host, { run_seen: { sequence, mark: of } });
    expect([seen(1, mark), seen(1, 7), seen(2, mark), seen(9, mark)]).toEqual([
      1,
      "run_lost",
      "run_lost",
      "run_lost",
    ]);
  });

  it("cannot be told from one of another answer if what it has seen is gone", () => {
    const { host, machine } = setup(10, { journalRunBytes: 400 });
    const { first, droppedMark } = machine.kernel.snapshot(machine.now).runs[0]?.journal ?? {
      first: 0,
      droppedMark: 0,
    };
    const after_sequence = first - 1;
    const seen = (sequence: number, mark: number) =>
      attach(host, { after_sequence, run_seen: { sequence, mark } });
    expect([seen(first - 2, 1), seen(first - 1, droppedMark), seen(first - 1, droppedMark + 1)]).toEqual([
      "run_trimmed",
      first,
      "run_lost",
    ]);
  });
});

describe("one who attaches to a run that is over", () => {
  it("gets the terminal event, again if it has it", () => {
    const { host, machine } = setup(1);
    machine.finishes();
    expect([0, 1, 2].map((after) => attach(host, { after_sequence: after }))).toEqual([1, 2, 2]);
    expect(attach(host, { after_sequence: 3 })).toBe("run_lost");
  });
});
