import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { isTransient, toValinorError } from "../../../clients/ts/src/errors.ts";
import { failure } from "./fake-server.ts";

describe("an error without a reason of a server", () => {
  it.each([
    [Code.Unauthenticated, "UNAUTHENTICATED"],
    [Code.PermissionDenied, "PERMISSION_DENIED"],
    [Code.Unimplemented, "UNIMPLEMENTED"],
    [Code.ResourceExhausted, "LIMIT_EXCEEDED"],
    [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"],
    [Code.Unavailable, "CONNECTION_LOST"],
    [Code.InvalidArgument, "CONNECTION_LOST"],
    [Code.Unknown, "CONNECTION_LOST"],
  ])("of code %s is %s", (code, reason) => {
    expect(toValinorError(new ConnectError("text", code)).reason).toBe(reason);
  });

  it("says that the caller's own deadline passed, and nothing of the agent", () => {
    const error = toValinorError(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    expect(error).toMatchObject({
      reason: "DEADLINE_EXCEEDED",
      code: "deadline_exceeded",
      message: "the operation timed out",
    });
    expect(isTransient(error)).toBe(true);
  });
});

it("a server that says that the agent was late is believed", () => {
  const error = toValinorError(failure("AGENT_TIMEOUT", Code.DeadlineExceeded));
  expect(error).toMatchObject({ reason: "AGENT_TIMEOUT", code: "deadline_exceeded" });
});
