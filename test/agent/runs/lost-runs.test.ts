import { describe, expect, it } from "vitest";
import { digestOfHash, digestOfName } from "../../../agent/runs/ledger-entries.ts";
import { readMessage, type Message } from "../../../protocol/link/guest/message.ts";
import { HostEnd, Machine } from "../kernel/machine.ts";

const said = readMessage({ role: "user", content: "hi", request_id: "r" }) as Message;

/** A guest that was restarted, and read from its disk that it had taken "r". */
function restarted(): HostEnd {
  const taken = [{ name: digestOfName("r"), digest: digestOfHash(said.hash), takenAt: 5 }];
  return new Machine({ taken }).greeted();
}

function codeOf(host: HostEnd): unknown {
  return host.of("a").map(({ payload }) => payload["code"])[0];
}

describe("a restarted guest", () => {
  it("answers run_lost to the same message of a request that it has taken before, and to one who attaches", () => {
    const again = restarted();
    again.message("a", { request_id: "r" });
    expect(codeOf(again)).toBe("run_lost");
    const attaching = restarted();
    attaching.message("a", { role: "", content: "", request_id: "r" });
    expect(codeOf(attaching)).toBe("run_lost");
  });

  it("answers request_id_reused to another message of that name", () => {
    const host = restarted();
    host.message("a", { content: "other", request_id: "r" });
    expect(codeOf(host)).toBe("request_id_reused");
  });

  it("answers run_unknown to one who attaches to what it never took", () => {
    for (const attaching of [{ role: "", content: "" }, { after_sequence: 1 }, { run_life: "l" }]) {
      const host = restarted();
      host.message("a", { request_id: "other", ...attaching });
      expect(codeOf(host)).toBe("run_unknown");
    }
  });
});

describe("a guest that has dropped the events of a run", () => {
  it("answers run_trimmed, and does not run it again", () => {
    const machine = new Machine({ bounds: { journalKeepMs: 1_000 } });
    const host = machine.greeted();
    host.message("x", { request_id: "r" });
    machine.record();
    machine.finishes();
    machine.pass(1_000);
    host.message("a", { request_id: "r" });
    expect([codeOf(host), machine.calls.length]).toEqual(["run_trimmed", 1]);
  });
});
