// Preloaded into the agent that `valinor dev` starts: its standard input is a pipe that only the parent holds, so its end
// means that the parent is gone, however it went. The agent then stops as on SIGTERM, or is ended.
const GRACE_MS = 3000;

process.stdin.on("error", stop).on("end", stop).resume();
if ("unref" in process.stdin) process.stdin.unref();

function stop(): void {
  setTimeout(() => process.exit(1), GRACE_MS).unref();
  process.kill(process.pid, "SIGTERM");
}
