export { addDevCommands } from "./commands.ts";
