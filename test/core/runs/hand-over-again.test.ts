import { describe, expect, it } from "vitest";
import { guests } from "../../../protocol/link/host/guest.ts";
import { LinkError } from "../../../protocol/wire/errors.ts";
import { HandOver } from "../../../src/core/runs/hand-over-again.ts";
import { AgentError } from "../../../src/fleet/errors.ts";

const boot = (bootId: string) => ({ guest: guests[2], bootId });
const interrupted = new LinkError("interrupted", "cut");
const unreachable = new LinkError("unreachable", "no byte left");

/** What is thrown; undefined if nothing is. */
function thrownBy(call: () => void): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A call whose message may have reached boot "a". */
function handedToA(): HandOver {
  const handOver = new HandOver();
  handOver.begin(boot("a"));
  handOver.failed(interrupted, boot("a"), true);
  return handOver;
}

describe("a message whose link was lost", () => {
  it("is handed over again if the same boot of the guest is reached", () => {
    expect(thrownBy(() => handedToA().begin(boot("a")))).toBeUndefined();
  });

  it("is not handed over again to another boot: the caller is told that it may have run", () => {
    expect(thrownBy(() => handedToA().begin(boot("b")))).toMatchObject({ code: "interrupted" });
    expect(thrownBy(() => handedToA().begin(boot("")))).toMatchObject({ code: "interrupted" });
  });

  it("is handed over to whichever boot is reached if no byte of it had left", () => {
    const handOver = new HandOver();
    handOver.begin(boot("a"));
    handOver.failed(unreachable, boot("a"), true);
    expect(thrownBy(() => handOver.begin(boot("b")))).toBeUndefined();
  });

  it("stays bound to the boot that may have it if a later attempt sends no byte", () => {
    const handOver = handedToA();
    handOver.begin(boot("a"));
    handOver.failed(unreachable, boot("a"), true);
    expect(thrownBy(() => handOver.begin(boot("b")))).toMatchObject({ code: "interrupted" });
  });

  it("is not handed over again to a guest that does not know its runs by name", () => {
    const handOver = new HandOver();
    const first = { guest: guests[1], bootId: "" };
    handOver.begin(first);
    expect(thrownBy(() => handOver.failed(interrupted, first, true))).toBe(interrupted);
  });

  it("is handed over again to such a guest if no byte of it had left", () => {
    const handOver = new HandOver();
    const first = { guest: guests[1], bootId: "" };
    handOver.begin(first);
    expect(thrownBy(() => handOver.failed(unreachable, first, true))).toBeUndefined();
  });

  it.each(["interrupted", "unreachable"] as const)("is handed over three times at most (%s)", (code) => {
    const handOver = new HandOver();
    const lost = new LinkError(code, "lost");
    for (let tries = 1; tries < 3; tries++) {
      handOver.begin(boot("a"));
      expect(thrownBy(() => handOver.failed(lost, boot("a"), true))).toBeUndefined();
    }
    handOver.begin(boot("a"));
    expect(thrownBy(() => handOver.failed(lost, boot("a"), true))).toBe(lost);
  });

  it("is not handed over again for a caller that has left", () => {
    const handOver = new HandOver();
    handOver.begin(boot("a"));
    expect(thrownBy(() => handOver.failed(unreachable, boot("a"), false))).toBe(unreachable);
  });
});

it.each([
  new LinkError("timeout", "late"),
  new LinkError("busy", "full"),
  new LinkError("invalid_frame", "broken"),
  new Error("unexpected"),
])("a failure that is no lost link is the caller's: %s", (error) => {
  const handOver = new HandOver();
  handOver.begin(boot("a"));
  expect(thrownBy(() => handOver.failed(error, boot("a"), true))).toBe(error);
});

describe("a guest that can't be reached", () => {
  const busy = new LinkError("busy", "full");
  const away = new AgentError("not_running", "it is stopped");

  it.each([unreachable, busy, away])("before a byte had left is told as it is: %s", (error) => {
    expect(new HandOver().notReached(error)).toBe(error);
  });

  it.each([unreachable, busy, away])(
    "once it may have the message leaves the caller in doubt: %s",
    (error) => {
      expect(handedToA().notReached(error)).toMatchObject({ code: "interrupted", cause: error });
    },
  );

  it("once it may have the message, and sends what it may not, is told as it is", () => {
    const broken = new LinkError("invalid_frame", "broken");
    expect(handedToA().notReached(broken)).toBe(broken);
  });
});
