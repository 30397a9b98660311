import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { type Program, spawnProgram } from "../helpers/process.ts";
import { until } from "../helpers/until.ts";

/** A real OpenClaw gateway of a test, with folders of its own and a model that is scripted. */
export interface RealGateway {
  readonly url: string;
  readonly token: string;
  /** Milliseconds from its start to its first 200 of /readyz. */
  readonly bootMs: number;
  readonly workspace: string;
  /** What its configuration file says now. */
  readonly configPath: string;
  /** Ends it as a supervisor would; resolves when it is gone. */
  stop(): Promise<void>;
  /** Starts it again at the same place; resolves when it is ready. */
  start(): Promise<void>;
  /** The same, at once when the process runs. */
  launch(): void;
}

/** It takes 9 to 30 s on two cores. */
const BOOT_MS = 120_000;

/** Starts OpenClaw on a free port of loopback; it ends after the last test of the file. */
export async function startGateway(program: string, modelUrl: string): Promise<RealGateway> {
  const dir = tempDir();
  const port = await freePort();
  const [state, workspace] = [join(dir, "state"), join(dir, "workspace")];
  mkdirSync(state);
  mkdirSync(workspace);
  const configPath = join(state, "openclaw.json");
  const token = "token-of-a-test";
  writeFileSync(configPath, JSON.stringify(configOf(port, token, workspace, state, modelUrl)));
  const url = `http://127.0.0.1:${port}`;
  let running: Program | undefined;
  let bootMs = 0;

  const isReady = async () => (await fetch(`${url}/readyz`)).status === 200;
  const gateway: RealGateway = {
    url,
    token,
    workspace,
    configPath,
    get bootMs() {
      return bootMs;
    },
    async stop() {
      running?.kill("SIGTERM");
      await running?.exited;
    },
    launch() {
      running = spawnProgram(
        process.execPath,
        [program, "gateway", "run", "--port", String(port), "--bind", "loopback"],
        { env: environment(state, configPath), cwd: workspace },
      );
    },
    async start() {
      const startedAt = performance.now();
      gateway.launch();
      await until("OpenClaw is ready", isReady, BOOT_MS).catch((error: unknown) => {
        throw new Error(`${running?.stdout()}\n${running?.stderr()}`, { cause: error });
      });
      bootMs = performance.now() - startedAt;
    },
  };
  afterFile(() => gateway.stop());
  await gateway.start();
  return gateway;
}

function environment(state: string, configPath: string): Record<string, string | undefined> {
  const switches = "SKIP_CHANNELS DISABLE_BONJOUR NO_RESPAWN OFFLINE NO_AUTO_UPDATE".split(" ");
  return {
    ...Object.fromEntries(switches.map((name) => [`OPENCLAW_${name}`, "1"])),
    OPENCLAW_EXEC_SHELL_SNAPSHOT: "0",
    OPENCLAW_HOME: state,
    OPENCLAW_STATE_DIR: state,
    OPENCLAW_CONFIG_PATH: configPath,
    NODE_COMPILE_CACHE: undefined,
    NODE_OPTIONS: undefined,
    // What vitest sets for itself would make OpenClaw take itself for one of its own tests.
    VITEST: undefined,
    NODE_ENV: undefined,
  };
}

function configOf(port: number, token: string, workspace: string, state: string, modelUrl: string): object {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const model = (id: string) => ({
    id,
    name: id,
    reasoning: false,
    input: ["text"],
    cost,
    contextWindow: 128_000,
    maxTokens: 8192,
  });
  return {
    gateway: {
      mode: "local",
      bind: "loopback",
      port,
      auth: { mode: "token", token },
      controlUi: { enabled: false },
      http: { endpoints: { chatCompletions: { enabled: true } } },
    },
    agents: {
      defaults: {
        workspace,
        skipBootstrap: true,
        model: { primary: "scripted/own" },
        heartbeat: { every: "0m" },
      },
    },
    models: {
      mode: "replace",
      providers: {
        scripted: {
          baseUrl: `${modelUrl}/v1`,
          apiKey: "sk-local",
          api: "openai-completions",
          models: [model("own"), model("other")],
        },
      },
    },
    plugins: { enabled: false },
    cron: { enabled: false },
    tools: { toolSearch: false },
    logging: { file: join(state, "gateway.log") },
    update: { checkOnStart: false },
  };
}
