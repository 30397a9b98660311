import type { Logger } from "pino";
import { type Config, ConfigError, type ValinorServer } from "@valinor/server";

/**
 * Has the server read its configuration again with each SIGHUP from now on, one after the other; one that comes before there is a
 * server is remembered. A configuration that is wrong is logged, and the one before stays in force. Answers how to say which server.
 */
export function reloadOnHangup(read: () => Config, logger: Logger): (server: ValinorServer) => void {
  let server: ValinorServer | undefined;
  let asked = false;
  let running = false;

  async function reload(): Promise<void> {
    if (running || server === undefined) return;
    running = true;
    while (asked) {
      asked = false;
      await reloadOnce(server, read, logger);
    }
    running = false;
  }

  process.on("SIGHUP", () => {
    asked = true;
    void reload();
  });
  return (started) => {
    server = started;
    void reload();
  };
}

/** Never rejects. */
async function reloadOnce(server: ValinorServer, read: () => Config, logger: Logger): Promise<void> {
  try {
    const { changed, needRestart } = await server.reload(read());
    logger.info({ changed }, "read certificates, tokens, keys and configuration again");
    if (needRestart.length > 0) logger.warn({ keys: needRestart }, "changed, but only a restart takes it");
  } catch (error) {
    const what = error instanceof ConfigError ? { problems: error.problems } : { err: error };
    logger.error(what, "not reloaded: what was in force stays so");
  }
}
