import { describe, expect, it } from "vitest";
import { connectTo, failureOf } from "./connect.ts";
import { lengthAndBytes } from "../helpers/frame-bytes.ts";
import { type Behaviour, type Session, soon, startGuest } from "./fake-guest.ts";

/** What connecting to a guest of this behaviour fails with. */
async function failure(behaviour: Partial<Behaviour>): Promise<unknown> {
  const guest = await startGuest(behaviour);
  const error = await failureOf(connectTo(guest));
  await soon("the socket to close", (await guest.session(1)).closed);
  return error;
}

const heartbeat2 = { status: "ready", uptime_secs: 0, protocol: 2 };

describe("the hello", () => {
  it("gives the token to a guest of protocol 2, and is over with its full heartbeat", async () => {
    const guest = await startGuest({ agentId: "a", revision: 7, on: { hello: "keep" } });
    const pending = connectTo(guest, { token: "s3cret" });
    const { session, frame } = await guest.next("hello");
    expect(frame).toMatchObject({ id: "", payload: { token: "s3cret", protocol: 2 } });
    session.heartbeat();
    const connection = await pending;
    expect(connection).toMatchObject({ protocol: 2, bootId: "boot-1" });
    expect(connection.heartbeat.configRevision).toBe(7);
  });

  it("is left out with a guest of protocol 1, which never sees the token", async () => {
    const guest = await startGuest({ protocol: 1 });
    const connection = await connectTo(guest, { token: "s3cret" });
    expect(connection).toMatchObject({ protocol: 1, bootId: "" });
    await connection.request("config_update", {}, 5_000);
    expect((await guest.session(1)).received.map(({ type }) => type)).toEqual(["config_update"]);
  });

  it("takes a guest that was told no agent_id", async () => {
    expect(await connectTo(await startGuest({ agentId: undefined }))).toMatchObject({ protocol: 2 });
  });

  it("refuses a guest that says it is another agent, and names that one", async () => {
    expect(await failure({ agentId: "b" })).toMatchObject({
      code: "refused",
      message: 'the guest says it is agent "b"',
    });
  });

  it("tells nothing of a guest's name that is no id", async () => {
    expect(await failure({ agentId: "what the user said" })).toMatchObject({
      message: "the guest says it is agent of another name",
    });
  });

  it("refuses a guest without a boot_id", async () => {
    const on = { hello: (session: Session) => session.send("heartbeat", "", heartbeat2) };
    expect(await failure({ on })).toMatchObject({
      code: "invalid_frame",
      message: expect.stringContaining("names no boot_id"),
    });
  });

  it("lets nobody fall back to protocol 1 once the hello was asked for", async () => {
    const on = {
      hello: (session: Session) => session.send("heartbeat", "", { status: "ready", uptime_secs: 0 }),
    };
    expect(await failure({ on })).toMatchObject({
      code: "invalid_frame",
      message: expect.stringContaining("protocol"),
    });
  });

  it.each<[unknown, string]>([
    [
      { code: "hello_refused", message: "wrong token" },
      "the guest refused the hello (hello_refused): it has another token, or none was configured here",
    ],
    [{ code: "busy", message: { toString: 1 } }, "the guest refused the hello (busy)"],
    [{ code: "made up", message: "anything" }, "the guest refused the hello (no known code)"],
    [{}, "the guest refused the hello (no known code)"],
  ])("tells a refusal by its code, without the guest's words: %j", async (payload, message) => {
    const on = { hello: (session: Session) => session.send("error", "", payload) };
    expect(await failure({ on })).toMatchObject({ code: "refused", message });
  });

  it("takes no other frame before the heartbeat", async () => {
    const onConnect = (session: Session) => session.opened("x");
    expect(await failure({ onConnect })).toMatchObject({
      code: "invalid_frame",
      message: "the guest began with a opened frame, not with a heartbeat",
    });
  });

  it("ends if the guest says nothing in time, and closes the socket", async () => {
    const guest = await startGuest({ onConnect: () => {} });
    const deadline = new AbortController();
    const failed = failureOf(connectTo(guest, {}, deadline.signal));
    const session = await guest.session(1);
    deadline.abort();
    expect(await failed).toMatchObject({
      code: "timeout",
      message: "the guest did not finish its hello in time",
    });
    await soon("the socket to close", session.closed);
  });

  it("ends if the guest never answers the hello", async () => {
    const guest = await startGuest({ on: { hello: "keep" } });
    const deadline = new AbortController();
    const failed = failureOf(connectTo(guest, {}, deadline.signal));
    await guest.next("hello");
    deadline.abort();
    expect(await failed).toMatchObject({ code: "timeout" });
  });

  it("ends if the guest hangs up", async () => {
    const onConnect = (session: Session) => session.socket.end();
    expect(await failure({ onConnect })).toMatchObject({
      code: "interrupted",
      message: "the peer closed the connection",
    });
  });

  const badBytes: [string, Buffer, object][] = [
    ["no frame at all", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), { code: "frame_too_large" }],
    [
      "no JSON",
      lengthAndBytes(Buffer.from("nonsense")),
      { code: "invalid_frame", message: "a frame is not JSON" },
    ],
    ["no object", lengthAndBytes(Buffer.from("[1]")), { message: "a frame is not a JSON object" }],
    ["a length of 1", lengthAndBytes(Buffer.from("1")), { code: "invalid_frame" }],
    [
      "not UTF-8",
      lengthAndBytes(Buffer.from('{"type":"heartbeat","id":"","payload":{"status":"\xff"}}', "latin1")),
      { code: "invalid_frame", message: "a frame is not UTF-8" },
    ],
    [
      "nesting over 64",
      lengthAndBytes(
        Buffer.from(`{"type":"heartbeat","payload":{"x":${"[".repeat(100)}${"]".repeat(100)}}}`),
      ),
      { code: "invalid_frame", message: "a frame has nesting over 64" },
    ],
    [
      "the beginning of a frame over 64 KiB",
      Buffer.from([0, 1, 0, 1]),
      { code: "frame_too_large", message: "a frame of 65537 bytes is over the limit of 65536" },
    ],
    [
      "a status that is no text",
      lengthAndBytes(Buffer.from('{"type":"heartbeat","payload":{"status":7}}')),
      { code: "invalid_frame", message: expect.stringContaining("a payload is not a Heartbeat") },
    ],
  ];

  it.each(badBytes)("ends if the guest sends %s", async (_what, bytes, expected) => {
    expect(await failure({ onConnect: (session) => session.raw(bytes) })).toMatchObject(expected);
  });
});
