import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildTools, runnerVerdict, type Tools, type Verdict } from "./tools.ts";

/*
 * Connect's conformance runner as the server of what @valinor/client puts around a transport (client.ts says what that is), and of the same
 * transport alone as the control.
 */

/** How often both are tried again at most. */
const AGAIN = 3;

let tools: Tools;
beforeAll(async () => {
  tools = await buildTools();
}, 600_000);

function conform(which: "ours" | "control", way: string): Promise<Verdict> {
  const features = join(import.meta.dirname, `client-${way}.yaml`);
  const command = [process.execPath, join(import.meta.dirname, "client.ts"), which, way, tools.schemas];
  return runnerVerdict(tools, `${which}, ${way}`, ["--mode", "client", "--conf", features, "--", ...command]);
}

describe.each([
  { way: "node", transport: "connect-node's transports", least: 1_200 },
  { way: "web", transport: "connect-web's transport, which a URL is made into", least: 150 },
])("the TypeScript client on $transport", ({ way, least }) => {
  it("fails no case that the transport alone passes", async () => {
    let control = await conform("control", way);
    let ours = await conform("ours", way);
    for (let again = 0; again < AGAIN && ours.failed.difference(control.failed).size > 0; again++) {
      // Some cases depend on times, which a loaded machine may not keep: both are tried again, and what fails must fail each time.
      control = both(control, await conform("control", way));
      ours = both(ours, await conform("ours", way));
    }
    expect(ours.total).toBe(control.total);
    expect(ours.total).toBeGreaterThan(least);
    expect([...ours.failed.difference(control.failed)]).toEqual([]);
  });
});

function both(one: Verdict, other: Verdict): Verdict {
  return { total: Math.min(one.total, other.total), failed: one.failed.intersection(other.failed) };
}
