export { type AddCommands, runCommand } from "./main.ts";
export type { Environment } from "./terminal/environment.ts";
export { port } from "./terminal/port.ts";
