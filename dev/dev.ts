import { pino, type Logger } from "pino";
import { type Config, startServer } from "@valinor/server";
import { startDevAgent, type DevAgent } from "./agent.ts";
import { keepAgentPort, openDevData, type DevData } from "./data.ts";
import { DEMO, placeDemoAgent } from "./demo.ts";
import { devWelcome } from "./welcome.ts";
import {
  explainStartError,
  humanLine,
  parse,
  type Environment,
  readConfig,
  untilOrphaned,
  untilStopped,
  within,
} from "@valinor/cli/internal";
import { startScriptedModel } from "./model/scripted-model.ts";

/** Seconds that streams have to end when everything stops. */
const SERVER_DRAIN_SECONDS = 3;
const AGENT_DRAIN_SECONDS = 2;
/** Everything has stopped by then, or is dropped. */
const STOP_MS = 9_000;

/** Flags of `valinor dev`. */
export interface DevOptions {
  /** Default: what the configuration says, 8080. */
  readonly port?: number;
  readonly data: string;
  /** What OPENCLAW_URL names, as the agent's flag of that name has it. */
  readonly serverKind: string;
}

/**
 * Runs a control plane, one agent and, unless OPENCLAW_URL names an OpenClaw or another server of OpenAI's API, the scripted
 * model, all on loopback, until a signal ends them together. Rejects with CliError if the configuration is
 * wrong, a port or the data directory is taken, or the agent does not start.
 */
export async function dev(options: DevOptions, env: Environment): Promise<void> {
  const running = new AsyncDisposableStack();
  // From the first moment on a signal is a wish to stop: what has started by then is stopped in order.
  const over = new AbortController();
  running.defer(() => over.abort());
  const wishes = [untilStopped()];
  if (env["npm_lifecycle_event"] !== undefined) wishes.push(untilOrphaned(over.signal));
  const stopped = Promise.race(wishes);
  try {
    const ready = await start(options, env, running);
    process.stdout.write(ready.welcome);
    await stopped;
    process.stdout.write("Stopping...\n");
  } finally {
    await within(STOP_MS, running.disposeAsync());
  }
}

async function start(
  options: DevOptions,
  env: Environment,
  running: AsyncDisposableStack,
): Promise<{ welcome: string }> {
  const data = openDevData(options.data);
  running.defer(() => data.release());
  const config = configOf(options, env, data);
  const logger = pino({ level: config.log.level, base: null }, { write: showLine });
  const modelUrl = env["OPENCLAW_URL"] || (await startModel(running));
  const agentPort = await keepAgentPort(data);
  await placeDemoAgent(data.storePath, `tcp://127.0.0.1:${agentPort}`);
  const target = { url: modelUrl, kind: options.serverKind };
  const agent = await startAgent(env, data, agentPort, target, logger);
  running.defer(() => agent.stop());
  const server = await startServer(config, { logger }).catch((error: unknown) => {
    throw explainStartError(error, "control plane", config.server.port);
  });
  running.defer(() => server.close());
  return { welcome: devWelcome({ url: server.url, agentId: DEMO.id, modelUrl, dir: data.dir }) };
}

function configOf(options: DevOptions, env: Environment, data: DevData): Config {
  const flags = {
    server: { port: options.port, drain_seconds: SERVER_DRAIN_SECONDS },
    store: { url: `sqlite:${data.storePath}` },
    proxy: { guest_token_file: data.tokenPath },
    secrets: { key_file: data.secretsKeyPath },
  };
  return readConfig({ env: { ...env }, flags, mode: "dev" });
}

async function startModel(running: AsyncDisposableStack): Promise<string> {
  const model = await startScriptedModel();
  running.defer(() => model.close());
  return model.url;
}

async function startAgent(
  env: Environment,
  data: DevData,
  port: number,
  target: { readonly url: string; readonly kind: string },
  logger: Logger,
): Promise<DevAgent> {
  const log = logger.child({ name: "agent" });
  const flags = ["--transport", "tcp", "--host", "127.0.0.1", "--port", String(port)];
  flags.push("--openclaw-url", target.url, "--server-kind", target.kind);
  flags.push("--token-file", data.tokenPath, "--agent-id", DEMO.id);
  flags.push("--state-dir", data.agentStateDir, "--drain-seconds", String(AGENT_DRAIN_SECONDS));
  const openclawToken = env["OPENCLAW_TOKEN_FILE"];
  if (openclawToken) flags.push("--openclaw-token-file", openclawToken);
  return await startDevAgent({
    flags,
    env,
    log: (line) => relay(log, line),
    notice: (text, level) => logger[level](text),
  });
}

/** Logs a line of the agent's log at its own level; what is no such line is told as a warning. */
function relay(log: Logger, line: string): void {
  const { level = "warn", time: _time, event, msg = event, ...fields } = parse(line);
  const shown = level === "info" || level === "error" ? level : "warn";
  log[shown](fields, typeof msg === "string" ? msg : "");
}

function showLine(json: string): void {
  process.stderr.write(humanLine(json));
}
