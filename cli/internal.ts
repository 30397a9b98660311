export { humanLine, parse } from "./server/human-log.ts";
export { readConfig } from "./server/read-config.ts";
export { untilOrphaned, untilStopped, within } from "./server/stop.ts";
export type { Environment } from "./terminal/environment.ts";
export { CliError, explainStartError } from "./terminal/errors.ts";
