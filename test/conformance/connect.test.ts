import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildTools, runnerVerdict, type Tools, type Verdict } from "./tools.ts";

/*
 * Connect's conformance runner as a client of this project's listener, guard, adapter, bounds and interceptors, and of plain connect-node as
 * the control: HTTP/1.1 and HTTP/2, in the clear and over TLS; Connect, gRPC and gRPC-Web; JSON and binary; as it is, gzip and brotli.
 */

let tools: Tools;
beforeAll(async () => {
  tools = await buildTools();
}, 600_000);

function conform(server: "ours" | "control", which: readonly string[]): Promise<Verdict> {
  const program = join(import.meta.dirname, "server.ts");
  const features = join(import.meta.dirname, "features.yaml");
  const command = [process.execPath, program, server, tools.schemas];
  return runnerVerdict(tools, server, ["--mode", "server", "--conf", features, ...which, "--", ...command]);
}

/** Cases in which a server answers before the request has ended. connect-node alone leaves clients hanging there, so it is no control. */
const EARLY = "Server Message Size/**";

describe("Connect's conformance runner", () => {
  it("finds no case that fails here and not with plain connect-node", async () => {
    const control = await conform("control", ["--skip", EARLY]);
    const ours = await conform("ours", ["--skip", EARLY]);
    expect(ours.total).toBe(control.total);
    expect(ours.total).toBeGreaterThan(4_900);
    expect([...ours.failed.difference(control.failed)]).toEqual([]);
  });

  it("gets an answer if a message is over the server's bound", async () => {
    const ours = await conform("ours", ["--run", EARLY]);
    expect(ours.total).toBeGreaterThan(300);
    expect([...ours.failed]).toEqual([]);
  });
});
