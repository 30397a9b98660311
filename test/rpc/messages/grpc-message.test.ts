import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { AgentProxy } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { encodeGrpcMessage } from "../../../src/rpc/messages/grpc-message.ts";
import { afterFile } from "../../helpers/cleanup.ts";
import { startStack } from "../../e2e/stack.ts";

describe("an error's text in gRPC", () => {
  test.each([
    { text: "no such agent: a, b; look (here) & there?", sent: "no such agent: a, b; look (here) & there?" },
    { text: "100%", sent: "100%25" },
    { text: "two\r\nlines\tand €😀", sent: "two%0D%0Alines%09and %E2%82%AC%F0%9F%98%80" },
    { text: "half a pair \ud83d", sent: "half a pair %EF%BF%BD" },
    { text: "", sent: "" },
  ])("leaves as the specification spells it: $sent", ({ text, sent }) => {
    expect(encodeGrpcMessage(text)).toBe(sent);
  });

  test("reads the same in grpc-js as it was written", async () => {
    const stack = await startStack();
    const client = new Client(new URL(stack.url).host, credentials.createInsecure());
    afterFile(() => client.close());
    const { sendMessage } = AgentProxy.method;
    const ask = (path: string, content: string) =>
      new Promise<ServiceError | null>((resolve) => {
        const message = create(sendMessage.input, { agentId: "demo", message: { content } });
        client.makeUnaryRequest(
          path,
          (value: typeof message) => Buffer.from(toBinary(sendMessage.input, value)),
          (bytes: Buffer) => fromBinary(sendMessage.output, bytes),
          message,
          (error) => resolve(error),
        );
      });
    const long = await ask("/valinor.v1.AgentProxy/SendMessage", `!bytes ${3 * 1024 * 1024 + 1}`);
    expect(long?.details).toBe("the answer is over 3145728 bytes: read it with Stream");
    const invalid = await ask("/valinor.v1.AgentProxy/SendMessage", "x".repeat(1024 * 1024 + 1));
    expect(invalid?.details).not.toContain("%");
    expect(invalid?.details).toContain(": ");
  });
});
