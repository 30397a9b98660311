import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { type Caller, clientOf, done, failure, opened } from "./fake-server.ts";

describe("who calls", () => {
  const headersOf = async (caller: Caller) => {
    const seen: (string | null)[] = [];
    const note = ({ requestHeader }: { requestHeader: Headers }) =>
      void seen.push(requestHeader.get("authorization"), requestHeader.get("x-valinor-tenant"));
    const client = clientOf(
      {
        getAgentStatus: (_request, context) => (note(context), {}),
        async *stream(_request, context) {
          note(context);
          yield opened;
          yield done;
        },
      },
      caller,
    );
    await client.status("demo");
    await client.send("demo", "hello");
    return seen;
  };

  it("is told to any transport, in every call", async () => {
    expect(await headersOf({ apiKey: "key", tenant: "acme" })).toEqual([
      "Bearer key",
      "acme",
      "Bearer key",
      "acme",
    ]);
    const keys = ["one", "two"];
    expect(await headersOf({ apiKey: () => keys.shift() ?? "" })).toEqual([
      "Bearer one",
      null,
      "Bearer two",
      null,
    ]);
  });

  it("is nobody if the credential is empty", async () => {
    expect(await headersOf({ apiKey: () => "" })).toEqual([null, null, null, null]);
  });

  it("hears which credential was refused, by a call or in a stream", async () => {
    const refused: string[] = [];
    const keys = ["old", "new"];
    const client = clientOf(
      {
        getAgentStatus() {
          throw failure("UNAUTHENTICATED", Code.Unauthenticated);
        },
        async *stream() {
          yield opened;
          throw failure("UNAUTHENTICATED", Code.Unauthenticated);
        },
      },
      { apiKey: () => keys.shift() ?? "", onRefused: (credential) => void refused.push(credential) },
    );
    await expect(client.status("demo")).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
    await expect(client.send("demo", "x")).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
    expect(refused).toEqual(["old", "new"]);
  });

  it("bounds the time of calls that stream nothing, and of no stream", async () => {
    const limits: (number | undefined)[] = [];
    const client = clientOf(
      {
        getAgentStatus: (_request, context) => (limits.push(context.timeoutMs()), {}),
        async *stream(_request, context) {
          limits.push(context.timeoutMs());
          yield opened;
          yield done;
        },
      },
      { callTimeoutMs: 30_000 },
    );
    await client.status("demo");
    await client.status("demo", { timeoutMs: 1_000 });
    await client.send("demo", "x");
    const [general = 0, own = 0, stream] = limits;
    expect(general).toBeGreaterThan(20_000);
    expect(own).toBeLessThanOrEqual(1_000);
    expect(stream).toBeUndefined();
  });
});
