import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { upTo } from "./collect.ts";
import { buildGoClient, callFromGo, reasonToSkipGo } from "./go/client.ts";
import { type Stack, startStack } from "./stack.ts";

const skip = reasonToSkipGo();
let stack: Stack;
let binary: string;

describe.skipIf(skip !== undefined)(
  `the generated Go client${skip === undefined ? "" : ` (skipped: ${skip})`}`,
  () => {
    beforeAll(async () => {
      [stack, binary] = await Promise.all([startStack(), buildGoClient()]);
    }, 300_000);

    describe.each(["connect", "grpc", "grpcweb"] as const)("over %s", (protocol) => {
      it("sends a message and gets the answer", async () => {
        const [answer] = await callFromGo(binary, {
          url: stack.url,
          protocol,
          mode: "send",
          message: "!echo from Go",
        });
        expect(answer).toMatchObject({
          type: "answer",
          content: expect.stringContaining("from Go") as string,
        });
      });

      it("streams, and resumes where it stopped", async () => {
        const requestId = randomUUID();
        const call = { url: stack.url, protocol, mode: "stream", requestId } as const;
        const whole = await callFromGo(binary, { ...call, message: "!words 9" });
        expect(whole.map((line) => line["sequence"] ?? 0)).toEqual([0, ...upTo(10)]);
        const rest = await callFromGo(binary, { ...call, after: 6 });
        expect(rest.map((line) => line["sequence"] ?? 0)).toEqual([0, 7, 8, 9, 10]);
        expect(rest.at(-1)).toMatchObject({ type: "done", finish_reason: "stop" });
      });

      it("reads code, reason and metadata of an error", async () => {
        const [error] = await callFromGo(binary, {
          url: stack.url,
          protocol,
          mode: "error",
          message: "!fail 500",
        });
        expect(error).toMatchObject({
          type: "error",
          reason: "AGENT_ERROR",
          domain: "valinor.dev",
          metadata: { agent_id: "demo", code: "openclaw_error" },
        });
      });
    });
  },
);
