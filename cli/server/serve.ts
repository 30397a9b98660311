import { pino } from "pino";
import { loadConfig, startServer } from "@valinor/server";
import { explainStartError } from "../terminal/errors.ts";
import type { Environment } from "../terminal/environment.ts";
import { reloadOnHangup } from "./hangup.ts";
import { readConfig } from "./read-config.ts";
import { stopWishes, within } from "./stop.ts";

/** Time to close the store once every connection is. */
const CLOSE_MS = 5_000;

/** Flags of `valinor serve`. */
export interface ServeOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
}

/**
 * Runs the control plane until SIGINT or SIGTERM stops it in stages (docs/operations.md); a second one hurries. SIGHUP has it read its
 * configuration again. Rejects with CliError if the configuration is wrong, the store can't be opened, or it cannot listen.
 */
export async function serve(options: ServeOptions, env: Environment): Promise<void> {
  const source = {
    file: options.config,
    env: { ...env },
    flags: { server: { host: options.host, port: options.port } },
    mode: "serve",
  } as const;
  const config = readConfig(source);
  const { stop, hurry } = stopWishes();
  const logger = pino({ level: config.log.level });
  const started = reloadOnHangup(() => loadConfig(source), logger);
  const server = await startServer(config, { logger }).catch((error: unknown) => {
    throw explainStartError(error, "control plane", config.server.port);
  });
  started(server);
  await stop;
  if (!(await within(server.longestStopMs() + CLOSE_MS, server.close(hurry))))
    logger.error("not closed in time: what was left is dropped");
}
