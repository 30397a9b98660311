import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ValinorError } from "../../../clients/ts/src/errors.ts";
import { GetAgentStatusResponseSchema } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentStatus, ConfigState } from "../../../gen/ts/valinor/v1/types_pb.ts";
import { adviceFor } from "../../../cli/client/errors/advice.ts";
import { parseConfig } from "../../../cli/client/config/file.ts";
import { connectFault } from "../../../cli/client/errors/connect-errors.ts";
import { judgeAgent } from "../../../cli/doctor/agent.ts";
import { exitCodeOf } from "../../../cli/client/errors/exit-codes.ts";
import { cell, neutralise } from "../../../cli/client/output.ts";
import { type ProgressStream, showProgress } from "../../../cli/client/talk/progress.ts";
import { targetOf } from "../../../cli/client/session.ts";
import { errorRow, reasons } from "../../../src/core/errors.ts";
import { until } from "../../helpers/until.ts";

describe("exit codes", () => {
  it.each([
    ["AGENT_NOT_FOUND", 4],
    ["REVISION_NOT_FOUND", 4],
    ["RUN_UNKNOWN", 4],
    ["UNAUTHENTICATED", 5],
    ["PERMISSION_DENIED", 5],
    ["TOOL_BLOCKED", 1],
    ["AGENT_ERROR", 1],
    ["REVISION_CONFLICT", 1],
    ["INVALID_ARGUMENT", 2],
    ["CONFIG_PENDING", 3],
    ["CONFIG_REJECTED", 3],
    ["AGENT_UNREACHABLE", 6],
    ["AGENT_TIMEOUT", 6],
    ["STORE_UNAVAILABLE", 6],
  ] as const)("of %s is %d", (reason, code) => {
    expect(exitCodeOf({ reason, code: errorRow(reason).code })).toBe(code);
  });

  it("of a reason that only a newer server knows is that of its Connect code", () => {
    expect(exitCodeOf({ reason: "NOVELTY", code: "not_found" })).toBe(4);
    expect(exitCodeOf({ reason: "NOVELTY", code: "internal" })).toBe(1);
    expect(exitCodeOf({ reason: "constructor", code: "internal" })).toBe(1);
  });

  it("are documented, each with what it means", () => {
    const page = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");
    for (const code of [0, 1, 2, 3, 4, 5, 6, 130, 141, 143])
      expect(page).toMatch(new RegExp(`^\\| ${code} \\| \\S`, "m"));
  });
});

it("there is advice for every reason", () => {
  expect(reasons.filter((reason) => adviceFor(reason)?.endsWith(".") !== true)).toEqual([]);
  expect(adviceFor("NOVELTY")).toBeUndefined();
});

describe("texts for a terminal", () => {
  it("have signs for control characters, newline and tab apart", () => {
    expect(neutralise("a\u001b]0;x\u0007\r\u007f\u009b2J\n\tü😀")).toBe("a␛]0;x␇␍␡\ufffd2J\n\tü😀");
    expect(cell("a\nb\tc\u001b")).toBe("a␊b␉c␛");
  });
});

describe("a configuration's file", () => {
  it.each([
    ["c.json", '{"a": {"b": [1, null]}}', { a: { b: [1, null] } }],
    ["c.yaml", "a: {b: [1, ~]}\n", { a: { b: [1, null] } }],
    ["-", '{"a": "x"}', { a: "x" }],
    ["-", "a: 'secret:x'\n", { a: "secret:x" }],
  ])("%s holding %j is taken", (file, text, expected) => {
    expect(parseConfig(text, file)).toEqual(expected);
  });

  it.each([
    ["c.json", "a: 1", /c\.json is not JSON/],
    ["c.yaml", "a: 1\na: 2\n", /^c\.yaml:2:1: .*unique/],
    ["c.yaml", "a: [1\n", /^c\.yaml:/],
    ["-", "[1]", /stdin must hold one mapping/],
    ["-", "", /stdin must hold one mapping/],
    ["-", "a: {b: .nan}", /\/a\/b cannot be written as JSON/],
    ["-", "a: !!binary aGk=", /\/a cannot be written as JSON/],
    ["-", "a: !odd x", /odd/],
  ])("%s holding %j is refused", (file, text, message) => {
    expect(() => parseConfig(text, file)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringMatching(message) }),
    );
  });
});

describe("the server to call", () => {
  it("is the flag's, else the environment's, else the one of this machine", () => {
    const env = { VALINOR_SERVER: "https://b.example" };
    expect(targetOf({ server: "http://a.example" }, env).url.href).toBe("http://a.example/");
    expect(targetOf({}, env).url.href).toBe("https://b.example/");
    expect(targetOf({}, { VALINOR_SERVER: "" }).url.href).toBe("http://127.0.0.1:8080/");
    expect(targetOf({}, { VALINOR_API_KEY: "vlr_x\n" }).credential).toBe("vlr_x");
  });

  it.each(["a.example", "ftp://a.example", "http://ann:pw@a.example"])("is not %s", (server) => {
    expect(() => targetOf({ server }, {})).toThrow(expect.objectContaining({ exitCode: 2 }));
  });

  it("fails in ways that are told apart through all causes", () => {
    const caused = (code: string) =>
      new ValinorError("CONNECTION_LOST", "x", {
        code: "unavailable",
        cause: new Error("y", { cause: Object.assign(new Error("z"), { code }) }),
      });
    expect(connectFault(caused("ECONNREFUSED"))?.fault).toBe("refused");
    expect(connectFault(caused("HPE_INVALID_CONSTANT"))?.fault).toBe("not_http");
    expect(connectFault(caused("ERR_SSL_WRONG_VERSION_NUMBER"))?.fault).toBe("not_tls");
    expect(connectFault(caused("DEPTH_ZERO_SELF_SIGNED_CERT"))?.fault).toBe("bad_certificate");
    expect(connectFault(new Error("odd"))).toBeUndefined();
  });
});

describe("what doctor says of an agent", () => {
  const well = {
    status: AgentStatus.RUNNING,
    connected: true,
    heartbeatAgeSecs: 2,
    openclaw: "ready",
    configState: ConfigState.APPLIED,
    desiredRevision: 3,
  };
  const judge = (change: object) =>
    judgeAgent("a", create(GetAgentStatusResponseSchema, { ...well, ...change }));

  it.each([
    ["all is well", {}, "ok", /revision 3 in force/],
    ["the guest is silent", { heartbeatAgeSecs: 41 }, "fail", /silent: .* 41 s ago/],
    ["OpenClaw is down", { openclaw: "down" }, "fail", /OpenClaw/],
    ["OpenClaw is starting", { openclaw: "starting" }, "warn", /starting/],
    [
      "OpenClaw is there, and how that is known",
      { openclawKind: "openclaw", openclawKindReason: "it answers /readyz as OpenClaw does" },
      "ok",
      /OpenClaw ready \(it answers \/readyz as OpenClaw does\)/,
    ],
    [
      "another server is there, and how that is known",
      { openclawKind: "plain", openclawKindReason: "told by --server-kind" },
      "ok",
      /a server of OpenAI's API ready \(told by --server-kind\)/,
    ],
    [
      "what is there is not known",
      { openclawKindReason: "it answers /readyz with 500, and not as OpenClaw does" },
      "warn",
      /not known: it answers \/readyz with 500/,
    ],
    [
      "it has another configuration",
      { configState: ConfigState.PENDING, configReason: "why" },
      "fail",
      /not converged.*why/,
    ],
    ["it stops", { guestStatus: "draining" }, "warn", /stopping/],
    ["its machine has failed", { status: AgentStatus.FAILED }, "fail", /FAILED/],
    ["it was never dialled", { connected: false, lastError: "" }, "fail", /not dialled/],
  ])("if %s", (_name, change, state, detail) => {
    expect(judge(change)).toEqual([
      expect.objectContaining({ name: "agent a", state, detail: expect.stringMatching(detail) }),
    ]);
  });

  it.each([
    ["tcp://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1", /Nothing listens/],
    ["the guest refused the hello: wrong token", /tokens differ/],
    ['the guest says it is agent "b"', /--agent-id/],
    ["the agent is not to run, or has no address", /valinor agents set a --address/],
    ["the guest did not begin in time", /paused or overloaded/],
    ["something new", /log/],
  ])("explains %s", (lastError, hint) => {
    expect(judge({ connected: false, lastError })[0]?.hint).toMatch(hint);
  });

  it("names every fault", () => {
    expect(judge({ openclaw: "down", heartbeatAgeSecs: 50 })).toHaveLength(2);
  });
});

describe("progress", () => {
  const sink = (isTTY: boolean) => {
    let text = "";
    const stream: ProgressStream = {
      isTTY,
      columns: 30,
      write: (more: string | Uint8Array) => ((text += String(more)), true),
    };
    return { stream, text: () => text };
  };

  it("is a line that is wiped on a terminal, never wider than it, and has no foreign control characters", async () => {
    const { stream, text } = sink(true);
    const progress = showProgress(`waiting for\u001b[2J ${"x".repeat(60)}`, stream);
    await until("something is shown", () => text() !== "");
    progress.stop();
    const [first = ""] = text()
      .split("\r\u001b[2K")
      .filter((part) => part !== "");
    expect(first).toMatch(/^⠋ waiting for␛\[2J x+$/);
    expect(first.length).toBe(29);
    expect(text().endsWith("\r\u001b[2K")).toBe(true);
  });

  it("is plain lines elsewhere, and only for long waits", async () => {
    const { stream, text } = sink(false);
    const progress = showProgress("waiting", stream);
    progress.update("still waiting");
    await until("a line is written", () => text() !== "");
    progress.stop();
    expect(text()).toBe("still waiting ...\n");
  });
});
