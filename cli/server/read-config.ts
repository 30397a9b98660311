import { ConfigError, loadConfig, type Config } from "@valinor/server";
import { CliError } from "../terminal/errors.ts";

/** loadConfig for a command: what is wrong with the configuration is the user's to mend, with exit code 2. */
export function readConfig(options: Parameters<typeof loadConfig>[0]): Config {
  try {
    return loadConfig(options);
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message, { cause: error, exitCode: 2 });
    throw error;
  }
}
