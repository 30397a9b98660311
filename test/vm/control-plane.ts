import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { type Program, spawnValinor } from "../helpers/process.ts";

/** `valinor serve` with one agent, `demo`, as a process that a test may kill and start again. */
export interface ControlPlane {
  readonly proxy: Client<typeof AgentProxy>;
  readonly program: Program;
  /** Starts it again, on the same port and the same store. */
  restart(): Promise<void>;
}

/** Starts a control plane whose agent `demo` is at a hybrid vsock address; it ends after the last test of the file. */
export async function startControlPlane(address: string): Promise<ControlPlane> {
  const directory = tempDir();
  const config = join(directory, "valinor.yaml");
  const port = await freePort();
  writeFileSync(
    config,
    `proxy:
  transport: hybrid
  allowed_addresses: ["unix:///**"]
store:
  url: sqlite:${directory}/valinor.db
agents:
  - id: demo
    address: ${address}
`,
  );
  const start = async () => {
    const program = spawnValinor(["serve", "--config", config, "--port", String(port)]);
    await program.waitFor(/listening/, { ms: 60_000 });
    return program;
  };
  let program = await start();
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" });
  return {
    proxy: createClient(AgentProxy, transport),
    get program() {
      return program;
    },
    async restart() {
      program = await start();
    },
  };
}
