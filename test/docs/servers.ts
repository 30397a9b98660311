import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { startTestAgent } from "../e2e/stack.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { freePort } from "../helpers/ports.ts";
import { spawnValinor } from "../helpers/process.ts";

const bin = join(import.meta.dirname, "../../bin/valinor.js");

/** A server that a page's blocks are run against, with an agent `demo`. */
export interface Place {
  readonly url: string;
  /** An API key that it wants; undefined if it takes calls without. */
  readonly key: string | undefined;
  /** Port of loopback whose pages may call it; nothing listens there. */
  readonly pagePort: number;
}

/** Starts what `npm start` does, on a free port; it ends after the last test of the file. */
export async function startDevServer(): Promise<Place> {
  const pagePort = await freePort();
  const env = { VALINOR_SERVER_ALLOWED_ORIGINS: originOf(pagePort) };
  const program = spawnValinor(["dev", "--port", "0", "--data", tempDir()], { env });
  const [, url = ""] = await program.waitFor(/ready at (\S+), /, { ms: 60_000 });
  return { url, key: undefined, pagePort };
}

/** Starts `valinor serve` with API keys, and makes one by `valinor keys create`, as an operator would. */
export async function startKeyServer(): Promise<Place> {
  const model = await startModel();
  const agent = await startTestAgent("demo", model.url);
  const pagePort = await freePort();
  const dir = tempDir();
  const config = join(dir, "valinor.yaml");
  const settings = {
    proxy: { transport: "tcp" },
    server: { port: 0, allowed_origins: [originOf(pagePort)] },
    store: { url: `sqlite:${join(dir, "valinor.db")}` },
    auth: { api_keys: true },
    agents: [{ id: "demo", tenant: "acme", address: agent.address }],
  };
  writeFileSync(config, JSON.stringify(settings)); // JSON is YAML
  const program = spawnValinor(["serve", "--config", config]);
  const [, url = ""] = await program.waitFor(/"url":"([^"]+)".*"msg":"listening"/, { ms: 60_000 });
  const create = ["keys", "create", "--config", config, "--tenant", "acme", "--subject", "docs"];
  const { stdout } = await promisify(execFile)(process.execPath, [bin, ...create, "--role", "operator"]);
  return { url, key: /vlr_\w+/.exec(stdout)?.[0] ?? "", pagePort };
}

function originOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
