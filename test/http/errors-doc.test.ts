import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { errorRow, reasons } from "../../src/core/errors.ts";
import { requestLimits } from "../../src/core/request-limits.ts";
import { boundsOf } from "../../src/rpc/messages/message-bounds.ts";

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
const rows = (page.split("<!-- end -->")[0] ?? "")
  .split("\n")
  .filter((line) => /^\| [A-Z_]+ \|/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));

test("docs/errors.md has the rows of the error table, in its order", () => {
  const documented = rows.map(([, reason, code, status, text]) => ({
    reason,
    code,
    status: Number(status),
    text,
  }));
  const expected = reasons.map((reason) => {
    const { code, status, text } = errorRow(reason);
    return { reason, code, status, text };
  });
  expect(documented).toEqual(expected);
});

test("docs/errors.md says of every reason what it means and what to do", () => {
  for (const [, , , , , meaning, advice] of rows) {
    expect(meaning).not.toBe("");
    expect(advice).not.toBe("");
  }
});

const { method } = AgentProxy;

test.each([
  ["SendMessage, Stream, PushConfig", boundsOf(method.sendMessage)],
  ["SendMessage, Stream, PushConfig", boundsOf(method.stream)],
  ["SendMessage, Stream, PushConfig", boundsOf(method.pushConfig)],
  ["PushContext", boundsOf(method.pushContext)],
  ["every other RPC of AgentProxy and AgentRegistry", boundsOf(method.cancelMessage)],
  ["every other RPC of AgentProxy and AgentRegistry", boundsOf(AgentRegistry.method.createAgent)],
  ["health and reflection", boundsOf(Health.method.check)],
  ["REST routes but for the next two", { bytes: requestLimits.restBytes, compressed: false }],
  ["`/v1/chat/completions`", { bytes: requestLimits.largeBytes, compressed: false }],
  ["`.../cancel`", { bytes: requestLimits.smallBytes, compressed: false }],
])("docs/errors.md has the bound of %s: %j", (request, { bytes, compressed }) => {
  const size = bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${bytes / 1024 / 1024} MiB`;
  expect(page).toContain(`| ${request} | ${size} | ${compressed ? "gzip, br" : "no"} |\n`);
});
