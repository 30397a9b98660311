import { expect, it } from "vitest";
import { guests } from "../../../../protocol/link/host/guest.ts";

it("what differs by protocol is what docs/wire-protocol.md says", () => {
  const { silenceMs: first, ...one } = guests[1];
  const { silenceMs: second, ...two } = guests[2];
  expect(one).toEqual({
    protocol: 1,
    credited: false,
    detaches: false,
    reports: false,
    resumable: false,
    takesTools: false,
    helloHeartbeats: 1,
    mostMessages: 64,
    lateBytes: 4 * 1024 * 1024,
  });
  expect(two).toEqual({
    protocol: 2,
    credited: true,
    detaches: true,
    reports: true,
    resumable: true,
    takesTools: true,
    helloHeartbeats: 2,
    mostMessages: 1_024,
    lateBytes: 1024 * 1024,
  });
  expect([first(10), first(60_000), second(10), second(60_000)]).toEqual([10, 60_000, 45_000, 60_000]);
});
