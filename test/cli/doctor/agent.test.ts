import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { GetAgentStatusResponseSchema } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentStatus, ConfigState } from "../../../gen/ts/valinor/v1/types_pb.ts";
import { judgeAgent } from "../../../cli/doctor/agent.ts";

const healthy = {
  status: AgentStatus.RUNNING,
  connected: true,
  protocol: 2,
  configState: ConfigState.APPLIED,
  heartbeatAgeSecs: 1,
};
const judge = (more: object) =>
  judgeAgent("a", create(GetAgentStatusResponseSchema, { ...healthy, ...more }));

describe("valinor doctor", () => {
  it("warns of an agent that remembers in memory alone, and says what to do", () => {
    expect(judge({ remembers: "memory" })).toEqual([
      {
        name: "agent a",
        state: "warn",
        detail: expect.stringContaining("only in memory"),
        hint: expect.stringContaining("--state-dir"),
      },
    ]);
  });

  it.each(["disk", "", "something newer"])("has nothing to say of one that remembers on: %j", (remembers) => {
    expect(judge({ remembers })).toMatchObject([{ state: "ok" }]);
  });
});
