import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { type Program, startProgram, untilListening } from "./processes.ts";
import { LITELLM, PORTKEY } from "./versions.ts";

/** Where clients call, and what is measured of whom. */
export interface Contender {
  readonly port: number;
  readonly path: string;
  readonly model: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Its programs by name; none for the model itself. */
  readonly programs: Readonly<Record<string, Program>>;
}

/** What a contender needs to be started. */
export interface ContenderOptions {
  readonly modelPort: number;
  /** Folder that the gateways are installed in. */
  readonly installed: string;
  /** Folder for configurations, states and logs. */
  readonly work: string;
  readonly core: number | undefined;
}

/** A gateway that may be started. Rejects if it can't be. */
export interface Kind {
  readonly name: string;
  start(options: ContenderOptions): Promise<Contender>;
}

const TOP = join(import.meta.dirname, "../..");
const PATH = "/v1/chat/completions";
const UP_MS = 120_000;

/** The model alone, Valinor, and the gateways. */
export const KINDS: readonly Kind[] = [
  { name: "model alone", start: direct },
  { name: "Valinor", start: valinor },
  { name: `LiteLLM ${LITELLM}`, start: litellm },
  { name: `Portkey ${PORTKEY}`, start: portkey },
];

function direct({ modelPort }: ContenderOptions): Promise<Contender> {
  return Promise.resolve({ port: modelPort, path: PATH, model: "bench", headers: {}, programs: {} });
}

/** The control plane and an agent that remembers requests in a file, as they are run: built, if they were built. */
async function valinor({ modelPort, work, core }: ContenderOptions): Promise<Contender> {
  const [port, agentPort] = [await freePort(), await freePort()];
  const built = join(TOP, "dist/agent/valinor-agent");
  const agent = startProgram({
    command: [
      ...(existsSync(built) ? [built] : [process.execPath, join(TOP, "bin/valinor-agent.js")]),
      "--transport=tcp",
      `--port=${agentPort}`,
      "--insecure",
      "--server-kind=openai",
      `--openclaw-url=http://127.0.0.1:${modelPort}`,
      `--state-dir=${join(work, "agent")}`,
    ],
    core,
    log: join(work, "agent.log"),
  });
  const file = join(work, "valinor.yaml");
  const agents = [{ id: "bench", address: `tcp://127.0.0.1:${agentPort}` }];
  writeFileSync(
    file,
    stringify({ server: { port }, store: { url: `sqlite:${join(work, "store.db")}` }, agents }),
  );
  const server = startProgram({
    command: [process.execPath, join(TOP, "bin/valinor.js"), "serve", "--config", file],
    core,
    log: join(work, "valinor.log"),
  });
  const programs = { "control plane": server, agent };
  return untilUp({ port, path: PATH, model: "bench", headers: {}, programs }, async () => {
    await untilListening(agent, agentPort, UP_MS);
    await untilListening(server, port, UP_MS);
  });
}

async function litellm({ modelPort, installed, work, core }: ContenderOptions): Promise<Contender> {
  const program = join(installed, "litellm/bin/litellm");
  if (!existsSync(program)) throw new Error("it is not installed: run bench/gateway/install.ts");
  const port = await freePort();
  const file = join(work, "litellm.yaml");
  const params = { model: "openai/bench", api_base: `http://127.0.0.1:${modelPort}/v1`, api_key: "none" };
  writeFileSync(file, stringify({ model_list: [{ model_name: "bench", litellm_params: params }] }));
  const server = startProgram({
    command: [program, "--config", file, "--host", "127.0.0.1", "--port", String(port), "--num_workers", "1"],
    env: {
      // Without this it looks for a price list on the internet before it starts.
      LITELLM_LOCAL_MODEL_COST_MAP: "True",
      // Nobody is asked for a key here, as with the others.
      LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY: "true",
      LITELLM_LOG: "ERROR",
    },
    core,
    log: join(work, "litellm.log"),
  });
  const contender = { port, path: PATH, model: "bench", headers: {}, programs: { gateway: server } };
  return untilUp(contender, () => untilListening(server, port, UP_MS));
}

async function portkey({ modelPort, installed, work, core }: ContenderOptions): Promise<Contender> {
  const program = join(installed, "node_modules/@portkey-ai/gateway/build/start-server.js");
  if (!existsSync(program)) throw new Error("it is not installed: run bench/gateway/install.ts");
  const port = await freePort();
  const server = startProgram({
    command: [process.execPath, program, `--port=${port}`, "--headless"],
    env: { NODE_ENV: "production" },
    core,
    log: join(work, "portkey.log"),
  });
  const headers = {
    authorization: "Bearer none",
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `http://127.0.0.1:${modelPort}/v1`,
  };
  const contender = { port, path: PATH, model: "bench", headers, programs: { gateway: server } };
  return untilUp(contender, () => untilListening(server, port, UP_MS));
}

/** Waits until a call through it is answered; ends its programs if that does not come. */
async function untilUp(contender: Contender, listening: () => Promise<void>): Promise<Contender> {
  try {
    await listening();
    await untilAnswered(contender);
    return contender;
  } catch (error) {
    await stopContender(contender);
    throw error;
  }
}

async function untilAnswered({ port, path, model, headers }: Contender): Promise<void> {
  const end = performance.now() + UP_MS;
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] });
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      signal: AbortSignal.timeout(UP_MS),
    });
    const text = await response.text();
    if (response.ok) return;
    if (performance.now() > end) throw new Error(`it answers ${response.status}: ${text.slice(0, 500)}`);
    await sleep(500);
  }
}

/** Ends all programs of a contender. */
export async function stopContender({ programs }: Contender): Promise<void> {
  await Promise.all(Object.values(programs).map((program) => program.stop()));
}

/** Makes a folder for one start. */
export function workFolder(parent: string, name: string): string {
  const folder = join(parent, name.replaceAll(/\W+/g, "-"));
  mkdirSync(folder, { recursive: true });
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
