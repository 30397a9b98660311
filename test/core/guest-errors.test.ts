import { describe, expect, it } from "vitest";
import { AgentError } from "../../src/fleet/errors.ts";
import { localCaller } from "../../src/core/access/authorize.ts";
import { errorRow, reasons } from "../../src/core/errors.ts";
import { errorOfFrame, translate } from "../../src/core/guest-errors.ts";
import { StoreError } from "../../src/store/store.ts";
import { LinkError } from "../../protocol/wire/errors.ts";
import { errorCodes } from "../../protocol/wire/vocabulary.ts";
import { failureOf, forever } from "../link/connect.ts";
import { startGuest } from "../link/fake-guest.ts";
import { message, startWorld } from "./world.ts";

const frame = (payload: { [key: string]: unknown }, type = "error") => ({ type, id: "", payload, size: 0 });

describe("a guest's error", () => {
  it.each([
    ["invalid_message", "INVALID_ARGUMENT", "invalid_argument"],
    ["config_stale", "CONFIG_PENDING", "unavailable"],
    ["request_id_reused", "REQUEST_ID_REUSED", "already_exists"],
    ["run_unknown", "RUN_UNKNOWN", "not_found"],
    ["run_lost", "RUN_LOST", "aborted"],
    ["run_trimmed", "RUN_TRIMMED", "out_of_range"],
    ["busy", "AGENT_BUSY", "resource_exhausted"],
    ["draining", "DRAINING", "unavailable"],
    ["cancelled", "RUN_CANCELLED", "canceled"],
  ])("%s is %s", (code, reason, connect) => {
    expect(errorOfFrame(frame({ code, message: "m" }))).toMatchObject({
      reason,
      code: connect,
      message: "m",
    });
  });

  it.each([
    ["openclaw_error", "internal", "openclaw_error"],
    ["request_error", "unavailable", "request_error"],
    ["model_timeout", "deadline_exceeded", "model_timeout"],
    ["unheard_of", "internal", "internal"],
    ["unauthenticated", "internal", "internal"],
    ["constructor", "internal", "internal"],
    ["", "internal", "internal"],
  ])("%j is AGENT_ERROR, with a code of the closed list", (code, connect, told) => {
    expect(errorOfFrame(frame({ code, message: "m", sequence: 7 }))).toMatchObject({
      reason: "AGENT_ERROR",
      code: connect,
      message: `the agent reports ${told}: m`,
      text: "agent error: m",
      metadata: { code: told, sequence: "7" },
    });
  });

  it("never says that the client's credentials are wrong", () => {
    for (const code of errorCodes) {
      const error = errorOfFrame(frame({ code, message: "" }));
      expect(["unauthenticated", "permission_denied"]).not.toContain(error.code);
      expect([401, 403]).not.toContain(errorRow(error.reason).status);
    }
  });

  it("is cut to 1000 characters, and never within one", () => {
    const long = `${"x".repeat(999)}${"\u{1F600}".repeat(5)}`;
    for (const error of [
      errorOfFrame(frame({ code: "internal", message: long })),
      errorOfFrame(frame({ tool_name: long, reason: long }, "tool_blocked")),
    ]) {
      expect(error.message.length).toBeLessThan(2_100);
      for (const text of [error.message, error.text, ...Object.values(error.metadata)]) {
        expect(text.isWellFormed()).toBe(true);
        expect(text).not.toContain("\u{1F600}");
      }
    }
  });

  it("that has the wrong shape is a broken frame", () => {
    for (const wrong of [{ code: 1 }, { code: "x", message: {} }, { code: "x", sequence: -1 }])
      expect(() => errorOfFrame(frame(wrong))).toThrow(LinkError);
  });

  it("reaches the client with the agent and the request it belongs to", async () => {
    const world = await startWorld();
    const guest = await startGuest({
      on: {
        message(session, { id }) {
          session.opened(id);
          session.send("error", id, { code: "openclaw_error", message: "503", sequence: 1 });
        },
      },
    });
    await world.add("a", guest.address);
    const call = world.core.send(localCaller, message("a", "x", { requestId: "r" }), forever);
    expect(await failureOf(call)).toMatchObject({
      reason: "AGENT_ERROR",
      metadata: { agent_id: "a", request_id: "r", code: "openclaw_error", sequence: "1" },
    });
  });
});

describe("the errors of the layers below", () => {
  it.each([
    [new LinkError("invalid_frame", "m"), "INVALID_FRAME"],
    [new LinkError("frame_too_large", "m"), "FRAME_TOO_LARGE"],
    [new LinkError("unreachable", "m"), "AGENT_UNREACHABLE"],
    [new LinkError("refused", "m"), "AGENT_UNREACHABLE"],
    [new LinkError("interrupted", "m"), "RUN_INTERRUPTED"],
    [new LinkError("busy", "m"), "AGENT_BUSY"],
    [new LinkError("overrun", "m"), "LIMIT_EXCEEDED"],
    [new LinkError("timeout", "m"), "AGENT_TIMEOUT"],
    [new AgentError("not_running", "m"), "AGENT_NOT_RUNNING"],
    [new AgentError("unassigned", "m"), "AGENT_UNASSIGNED"],
    [new AgentError("config_pending", "m"), "CONFIG_PENDING"],
    [new AgentError("config_refused", "m"), "CONFIG_REJECTED"],
    [new StoreError("exists", "m"), "AGENT_EXISTS"],
    [new StoreError("revision_conflict", "m"), "REVISION_CONFLICT"],
  ])("%s is %s", (error, reason) => {
    expect(translate(error)).toMatchObject({ reason, message: "m" });
  });

  it("tell nothing of the store's or a bug's own words", () => {
    const secret = "/var/lib/valinor.db: password";
    expect(translate(new StoreError("unavailable", secret)).message).not.toContain("password");
    expect(translate(new TypeError(secret))).toMatchObject({ reason: "INTERNAL", message: "internal error" });
  });

  it("have a row each, and only those that a retry can help say when", () => {
    for (const reason of reasons) expect(errorRow(reason).status).toBeGreaterThanOrEqual(400);
    expect(errorRow("RUN_LOST").retryMs).toBeUndefined();
    expect(errorRow("AGENT_UNREACHABLE").retryMs).toBe(1_000);
  });
});
