import { connect } from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import { createIntake } from "../../src/link/intake.ts";
import { createLink, type Link } from "../../src/link/link.ts";
import { dial } from "../../protocol/transport/dial.ts";
import { LinkError } from "../../protocol/wire/errors.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { startFakeMuxer } from "../protocol/transport/fake-muxer.ts";
import { startGuest, until } from "./fake-guest.ts";

afterEach(() => void vi.useRealTimers());

it("a link to a machine that was restored is given up by its pings, and dialled until it is answered", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  const guest = await startGuest();
  const muxer = await startFakeMuxer({
    guest(socket) {
      const inner = connect(guest.port, "127.0.0.1");
      inner.on("error", () => {});
      socket.pipe(inner).pipe(socket);
    },
  });
  afterFile(() => muxer.close());
  const downs: string[] = [];
  let ups = 0;
  const link: Link = createLink({
    token: "",
    agentId: "a",
    pingMs: limits.pingMs,
    silenceMs: limits.messageMs,
    intake: createIntake(),
    onHeartbeat: () => {},
    dial: (signal) => dial({ kind: "hybrid", path: muxer.path, port: 1024 }, signal),
    onUp: () => void ups++,
    onDown: ({ message }) => void downs.push(message),
  });
  afterFile(() => link.close(new LinkError("closed", "the test is over")));
  await until("the link is up", () => ups === 1);

  muxer.restore();
  // Silence, a ping, silence: a look at the clock each second.
  const tick = 1_000;
  vi.advanceTimersByTime(limits.silenceMs + limits.pingMs + 3 * tick);
  await until("the link is given up", () => downs.length === 1);
  expect(downs[0]).toContain("answers no ping");

  // The first CONNECT after it stays unanswered for as long as a hello may take; the one after that is answered.
  await until("the link is up again", () => ups === 2, limits.helloMs + 10_000);
  expect(downs).toHaveLength(2);
  expect(muxer.requests).toHaveLength(3);
});
