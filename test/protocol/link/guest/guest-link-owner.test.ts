import { describe, expect, it } from "vitest";
import { Failure } from "../../../../protocol/link/guest/failure.ts";
import { GuestLink } from "../../../../protocol/link/guest/guest-link.ts";
import type {
  ClosedLink,
  ConfigWaiter,
  LinkOwner,
  LinkPort,
  ReadableRun,
  RunReader,
} from "../../../../protocol/link/guest/ports.ts";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import type { FrameType } from "../../../../protocol/wire/vocabulary.ts";

const GONE = new LinkError("interrupted", "cut");

/** A link whose guest, driver and clock are the test's; it writes down what it is asked and told. */
class Scene implements LinkPort, LinkOwner {
  readonly bounds = { helloMs: 5_000, heartbeatMs: 10_000, hostSilenceMs: 60_000, exchanges: 3 };
  readonly bootId = "boot";
  readonly controls: { type: string; id: string; payload: object }[] = [];
  readonly offered: string[] = [];
  readonly closes: LinkError[] = [];
  readonly finishes: LinkError[] = [];
  readonly calls: unknown[][] = [];
  readonly closedLinks: ClosedLink[] = [];
  readonly readers: RunReader[] = [];
  readonly waiters: ConfigWaiter[] = [];
  readonly left: unknown[][] = [];
  readonly events: string[] = [];
  space = Infinity;
  status = "ready";
  thrown: unknown;
  found = true;
  readonly link: GuestLink;

  constructor(greeted = true, now = 0) {
    this.link = new GuestLink(this, this, now);
    if (greeted) this.send("hello", "", { token: "right", protocol: 2 }, now);
    this.controls.length = 0;
    this.calls.length = 0;
  }

  send(type: string, id: string, payload: object, now = 0): void {
    this.link.frame({ type, id, payload: { ...payload }, size: 0 }, now);
  }

  message(id: string, payload: object = {}, now = 0): void {
    this.send("message", id, { role: "user", content: "x", request_id: id, ...payload }, now);
  }

  /** Types of what was sent for one id, but for events. */
  controlsOf(id: string): string[] {
    return this.controls.filter((control) => control.id === id).map(({ type }) => type);
  }

  get dropped(): number {
    this.link.closed(GONE, 0);
    return this.closedLinks.at(-1)?.dropped ?? -1;
  }

  // LinkPort
  offer(frame: Buffer): boolean {
    if (this.space === 0) return false;
    this.space--;
    const { type, id } = JSON.parse(frame.subarray(4).toString()) as { type: string; id: string };
    this.offered.push(`${id} ${type}`);
    return true;
  }
  control(type: FrameType, id: string, payload: object): void {
    this.controls.push({ type, id, payload });
  }
  close(reason: LinkError): void {
    this.closes.push(reason);
  }
  finish(reason: LinkError): void {
    this.finishes.push(reason);
  }

  // LinkOwner
  admits(token: string): boolean {
    return token === "right";
  }
  heartbeat(now: number) {
    return { status: this.status, uptime_secs: now, boot_id: "boot" };
  }
  attachOrBegin(message: { requestId: string }, now: number) {
    this.calls.push(["attachOrBegin", message.requestId, now]);
    if (this.thrown !== undefined) throw this.thrown;
    const { events, left, readers } = this;
    const run: ReadableRun = {
      life: "life",
      accepted: true,
      ended: false,
      journal: {
        get next() {
          return events.length + 1;
        },
        event: (sequence) => {
          const json = events[sequence - 1];
          return json === undefined ? undefined : { type: "chunk", json };
        },
      },
      attach: (reader, onDisconnect, at) => {
        readers.push(reader);
        reader.pump(at);
        this.calls.push(["attach", onDisconnect, at]);
      },
      leave: (reader, how, at) => void left.push([readers.indexOf(reader), how, at]),
      settle: (at) => void this.calls.push(["settle", at]),
    };
    return { run, attached: message.requestId !== "a", next: 1 };
  }
  cancelRun(...args: unknown[]): boolean {
    this.calls.push(["cancelRun", ...args]);
    return this.found;
  }
  pushConfig(payload: object, waiter: ConfigWaiter): void {
    this.calls.push(["pushConfig", payload]);
    this.waiters.push(waiter);
  }
  pushContext(payload: object) {
    this.calls.push(["pushContext", payload]);
    return { applied: true };
  }
  linkGreeted(): void {
    this.calls.push(["linkGreeted"]);
  }
  exchangeEnded(now: number): void {
    this.calls.push(["exchangeEnded", now]);
  }
  linkClosed(_link: unknown, closed: ClosedLink): void {
    this.closedLinks.push(closed);
  }
  wakeAt(time: number): void {
    this.calls.push(["wakeAt", time]);
  }
  frameFailed(...args: unknown[]): void {
    this.calls.push(["frameFailed", ...args]);
  }
}

describe("the hello of a host", () => {
  it("is answered with a whole heartbeat, and the guest hears that a host is in", () => {
    const scene = new Scene(false);
    scene.send("hello", "", { token: "right", protocol: 2 }, 7);
    expect(scene.controls).toEqual([
      { type: "heartbeat", id: "", payload: { status: "ready", uptime_secs: 7, boot_id: "boot" } },
    ]);
    expect(scene.calls).toEqual([["linkGreeted"], ["wakeAt", 10_007]]);
  });

  it("with a token that is no text is one without a token", () => {
    const scene = new Scene(false);
    scene.send("hello", "", { token: 7, protocol: 2 });
    expect(scene.finishes[0]?.message).toBe("the token is wrong");
  });

  it("is waited for until its time is over, with no other wake-up", () => {
    const scene = new Scene(false);
    expect(scene.link.nextWake()).toBe(5_000);
    scene.link.tick(4_999);
    expect(scene.finishes).toEqual([]);
    scene.link.tick(5_000);
    expect(scene.finishes.map(({ code, message }) => [code, message])).toEqual([
      ["refused", "no hello came in time"],
    ]);
    expect(scene.link.nextWake()).toBe(Infinity);
  });

  it("is owed before anything else: frames before it are dropped and counted", () => {
    const scene = new Scene(false);
    scene.message("a");
    scene.send("config_update", "b", {});
    expect(scene.calls).toEqual([]);
    expect(scene.dropped).toBe(2);
    expect(scene.closedLinks[0]).toEqual({ reason: GONE, greeted: false, dropped: 2 });
  });

  it("is owed before the guest tells how it is", () => {
    const scene = new Scene(false);
    scene.link.tell(true, 1);
    expect(scene.controls).toEqual([]);
  });
});

describe("heartbeats of a greeted link", () => {
  it("are sent when they are due", () => {
    const scene = new Scene();
    expect(scene.link.nextWake()).toBe(10_000);
    scene.link.tick(9_999);
    expect(scene.controls).toEqual([]);
    scene.link.tick(10_000);
    expect(scene.controls.map(({ type }) => type)).toEqual(["heartbeat"]);
    expect(scene.calls).toEqual([["wakeAt", 20_000]]);
  });

  it("tell of news between them, and of nothing that is not news", () => {
    const scene = new Scene();
    scene.link.tell(false, 1_000);
    expect(scene.controls).toEqual([]);
    scene.status = "running";
    scene.link.tell(false, 1_000);
    expect(scene.controls).toMatchObject([{ type: "heartbeat", payload: { status: "running" } }]);
  });

  it("end with the link", () => {
    const scene = new Scene();
    scene.link.closed(GONE, 1);
    scene.link.tell(true, 2);
    scene.link.tick(20_000);
    scene.link.tick(100_000);
    expect([scene.controls, scene.closes]).toEqual([[], []]);
  });
});

describe("the silence of a host", () => {
  it("is asked about once at half of its bound, and ends the link at all of it", () => {
    const scene = new Scene();
    scene.link.tick(29_999);
    expect(scene.controlsOf("guest-1")).toEqual([]);
    scene.link.tick(30_000);
    scene.link.tick(31_000);
    expect(scene.controlsOf("guest-1")).toEqual(["ping"]);
    scene.link.tick(60_000);
    expect(scene.closes.map(({ code, message }) => [code, message])).toEqual([
      ["interrupted", "nothing was heard for 60 s"],
    ]);
    scene.link.tick(120_000);
    expect(scene.closes).toHaveLength(1);
    expect(scene.link.nextWake()).toBe(Infinity);
  });

  it("is numbered by its questions", () => {
    const scene = new Scene();
    scene.link.tick(30_000);
    scene.link.heard(30_001);
    scene.link.tick(60_001);
    expect([scene.controlsOf("guest-1"), scene.controlsOf("guest-2")]).toEqual([["ping"], ["ping"]]);
  });

  it("ends with each frame, a pong too, which is answered by nothing", () => {
    const scene = new Scene();
    scene.send("pong", "guest-1", {}, 59_000);
    scene.link.tick(60_000);
    expect(scene.closes).toEqual([]);
    expect(scene.dropped).toBe(0);
  });

  it("is not asked about before hello", () => {
    const scene = new Scene(false);
    scene.link.tick(4_999);
    scene.link.tick(30_000);
    expect(scene.controls.filter(({ type }) => type === "ping")).toEqual([]);
  });
});

describe("an exchange of a link", () => {
  it("is busy from its message to its end, of which the guest hears", () => {
    const scene = new Scene();
    expect(scene.link.busy).toBe(false);
    scene.message("a", { on_disconnect: "cancel" }, 3);
    expect(scene.link.busy).toBe(true);
    expect(scene.calls).toEqual([
      ["attachOrBegin", "a", 3],
      ["attach", "cancel", 3],
    ]);
    scene.send("detach", "a", {}, 4);
    expect(scene.link.busy).toBe(false);
    expect(scene.left).toEqual([[0, "detached", 4]]);
    expect(scene.calls.at(-1)).toEqual(["exchangeEnded", 4]);
    expect(scene.dropped).toBe(0);
  });

  it("is refused beyond the bound, and the run is not begun", () => {
    const scene = new Scene();
    for (const id of ["a", "b", "c"]) scene.message(id);
    scene.calls.length = 0;
    scene.message("d");
    expect(scene.controls.at(-1)).toMatchObject({ id: "d", payload: { code: "busy" } });
    expect(scene.calls).toEqual([]);
  });

  it("has one message: a second one under its id is dropped and counted", () => {
    const scene = new Scene();
    scene.message("a");
    scene.message("a");
    expect(scene.readers).toHaveLength(1);
    expect(scene.dropped).toBe(1);
  });

  it("goes on when credit comes; credit without a limit grants nothing", () => {
    const scene = new Scene();
    scene.events.push("{}");
    scene.message("a", { credit: 0 });
    scene.send("credit", "a", {});
    scene.send("credit", "a", { limit: null });
    expect(scene.offered).toEqual([]);
    scene.send("credit", "a", { limit: 1_000 }, 5);
    expect(scene.offered).toEqual(["a opened", "a chunk"]);
    expect(scene.calls.at(-1)).toEqual(["settle", 5]);
    expect(scene.dropped).toBe(0);
  });

  it("that is not there can be given no credit, nor be left: both are counted", () => {
    const scene = new Scene();
    scene.message("a");
    scene.send("credit", "other", { limit: 9 });
    scene.send("credit", "a", { limit: "9" });
    scene.send("detach", "other", {});
    expect(scene.dropped).toBe(3);
  });

  it("fails alone if the guest refuses its message", () => {
    const scene = new Scene();
    scene.thrown = new Failure("run_unknown", "no such run");
    scene.message("a");
    expect(scene.controls).toEqual([
      { type: "error", id: "a", payload: { code: "run_unknown", message: "no such run" } },
    ]);
    expect(scene.calls.filter(([name]) => name === "frameFailed")).toEqual([]);
    expect(scene.link.busy).toBe(false);
  });

  it("fails as `internal` at a fault of the guest, which the guest hears of and the host does not", () => {
    const scene = new Scene();
    scene.thrown = new TypeError("a secret");
    scene.message("a");
    expect(scene.controls).toEqual([
      { type: "error", id: "a", payload: { code: "internal", message: "the agent failed" } },
    ]);
    expect(scene.calls.at(-1)).toEqual(["frameFailed", "message", scene.thrown]);
  });

  it("is left as lost by every reader when the link is gone", () => {
    const scene = new Scene();
    scene.message("a");
    scene.message("b");
    scene.link.closed(GONE, 9);
    expect(scene.left).toEqual([
      [0, "lost", 9],
      [1, "lost", 9],
    ]);
    expect(scene.closedLinks).toEqual([{ reason: GONE, greeted: true, dropped: 0 }]);
    expect(scene.link.busy).toBe(false);
  });

  it("sends nothing after the link is gone: what was not sent is not taken", () => {
    const scene = new Scene();
    scene.message("a");
    const [reader] = scene.readers;
    scene.link.closed(GONE, 9);
    scene.offered.length = 0;
    expect(scene.link.offer(Buffer.from("0000{}"), reader as never)).toBe(false);
    scene.link.error("a", "busy", "late");
    expect([scene.offered, scene.controls]).toEqual([[], []]);
  });
});

describe("a link whose queue is full", () => {
  it("is not offered more before it has room", () => {
    const scene = new Scene();
    scene.space = 1;
    scene.message("a");
    scene.message("b");
    scene.space = Infinity;
    scene.message("c");
    expect(scene.offered).toEqual(["a opened"]);
    scene.link.room(5);
    expect(scene.offered).toEqual(["a opened", "b opened", "c opened"]);
    expect(scene.calls.filter(([name]) => name === "settle")).toHaveLength(2);
    scene.link.room(6);
    expect(scene.calls.filter(([name]) => name === "settle")).toHaveLength(2);
  });

  it("lets go of a reader that leaves while it waits", () => {
    const scene = new Scene();
    scene.space = 0;
    scene.message("a");
    scene.send("detach", "a", {});
    scene.space = Infinity;
    scene.link.room(5);
    expect(scene.offered).toEqual([]);
    expect(scene.calls.filter(([name]) => name === "settle")).toEqual([]);
  });
});

describe("what a host asks of the guest itself", () => {
  it("a configuration is answered when it is in force, unless the link is gone by then", () => {
    const scene = new Scene();
    scene.send("config_update", "a", { revision: 1 });
    scene.send("config_update", "b", { revision: 2 });
    expect(scene.controls).toEqual([]);
    scene.waiters[0]?.answer({ applied: true });
    expect(scene.controls).toEqual([{ type: "config_ack", id: "a", payload: { applied: true } }]);
    scene.link.closed(GONE, 1);
    scene.waiters[1]?.answer({ applied: true });
    expect(scene.controls).toHaveLength(1);
    expect(scene.calls[0]).toEqual(["pushConfig", { revision: 1 }]);
  });

  it("a context entry is answered at once", () => {
    const scene = new Scene();
    scene.send("context_update", "a", { key: "k" });
    expect(scene.controls).toEqual([{ type: "config_ack", id: "a", payload: { applied: true } }]);
    expect(scene.calls).toEqual([["pushContext", { key: "k" }]]);
  });

  it.each([
    [{}, "the run was cancelled"],
    [{ reason: "" }, "the run was cancelled"],
    [{ reason: null }, "the run was cancelled"],
    [{ reason: "enough" }, "enough"],
    [{ reason: "x".repeat(201) }, "x".repeat(200)],
  ])("a cancel is told to the readers, with %j", (more, told) => {
    const scene = new Scene();
    scene.found = Object.keys(more).length > 0;
    scene.send("cancel", "a", { request_id: "r", ...more }, 4);
    expect(scene.calls).toEqual([["cancelRun", "r", told, 4]]);
    expect(scene.controls).toEqual([{ type: "cancel_ack", id: "a", payload: { found: scene.found } }]);
  });

  it.each([{}, { request_id: "" }, { request_id: 7 }, { request_id: "r", reason: 7 }])(
    "a cancel of %j is refused",
    (payload) => {
      const scene = new Scene();
      scene.send("cancel", "a", payload);
      expect(scene.controls).toMatchObject([{ id: "a", payload: { code: "invalid_message" } }]);
      expect(scene.calls).toEqual([]);
    },
  );

  it("a frame without an id, or of no known type, is dropped and counted", () => {
    const scene = new Scene();
    scene.send("message", "", { role: "user", content: "x" });
    scene.send("telemetry", "t", {});
    expect(scene.calls).toEqual([]);
    expect(scene.dropped).toBe(2);
  });
});
