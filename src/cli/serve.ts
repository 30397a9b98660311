import { pino } from "pino";
import { startServer } from "../server.ts";
import { explainStartError } from "./errors.ts";
import type { Environment } from "./environment.ts";
import { readConfig } from "./read-config.ts";
import { untilStopped, within } from "./stop.ts";

/** Time to close everything once the streams had their time to end. */
const CLOSE_MS = 5_000;

/** Flags of `valinor serve`. */
export interface ServeOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
}

/**
 * Runs the control plane until a signal ends it; streams then have `server.drain_seconds` to end. Rejects with CliError
 * where the configuration is wrong, the store can't be opened, or it cannot listen.
 */
export async function serve(options: ServeOptions, env: Environment): Promise<void> {
  const config = readConfig({
    file: options.config,
    env: { ...env },
    flags: { server: { host: options.host, port: options.port } },
    mode: "serve",
  });
  const stopped = untilStopped();
  const logger = pino({ level: config.log.level });
  const server = await startServer(config, { logger }).catch((error: unknown) => {
    throw explainStartError(error, "control plane", config.server.port);
  });
  await stopped;
  if (!(await within(config.server.drainMs + CLOSE_MS, server.close())))
    logger.error("not closed in time: what was left is dropped");
}
