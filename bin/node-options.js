/**
 * Options of V8 for a process that serves. New objects have 8 MiB twice, not 16 to 32: a collection of them takes less time, so that fewer calls
 * wait for one, and a busy server takes some 50 MiB less.
 */
const SERVER = ["--max-semi-space-size=8"];

/** Commands that serve until they are stopped. */
const SERVING = new Set(["serve", "dev"]);

/**
 * Starts this program again in this very process, with the options that its command is to have. They hold from the start alone: V8 lays out
 * its heap then. Nothing happens if the user has chosen other values, for a process that talks with its parent by messages, which the other
 * program could not go on with, and on systems that can't do it.
 */
export function becomeWithOptions() {
  const chosen = `${process.execArgv.join(" ")} ${process.env.NODE_OPTIONS ?? ""}`;
  const missing = SERVER.filter((option) => !chosen.includes(option.split("=", 1)[0]));
  if (!SERVING.has(process.argv[2]) || missing.length === 0) return;
  if (typeof process.execve !== "function" || process.platform === "win32" || process.channel) return;
  process.execve(process.execPath, [
    process.execPath,
    ...missing,
    ...process.execArgv,
    ...process.argv.slice(1),
  ]);
}
