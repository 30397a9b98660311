import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterFile } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import { until } from "./until.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

/** Why PgBouncer can't be started here; undefined if it can, or must (CI=true). */
export function missingPgbouncer(): string | undefined {
  if (process.env["CI"] === "true" || existsSync(PROGRAM)) return undefined;
  return "there is no PgBouncer here (Debian: pgbouncer)";
}

/**
 * Starts a PgBouncer in front of a server for one test file, with its defaults but for the mode and `settings`. Resolves with what makes
 * a URL of the server one of PgBouncer's.
 */
export async function startPgbouncer(
  server: string,
  mode: "session" | "transaction",
  settings: readonly string[] = [],
): Promise<(url: string) => string> {
  const { hostname, port: serverPort, username, password } = new URL(server);
  const folder = mkdtempSync(join(tmpdir(), "valinor-pgb-"));
  chmodSync(folder, 0o755);
  const port = await freePort();
  writeFileSync(join(folder, "users"), `"${username}" "${password}"\n`, { mode: 0o644 });
  const config = [
    "[databases]",
    `* = host=${hostname} port=${serverPort}`,
    "[pgbouncer]",
    `listen_addr = 127.0.0.1`,
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = scram-sha-256",
    `auth_file = ${join(folder, "users")}`,
    `pool_mode = ${mode}`,
    "max_client_conn = 1000",
    "server_idle_timeout = 5",
    ...settings,
  ];
  writeFileSync(join(folder, "pgbouncer.ini"), `${config.join("\n")}\n`, { mode: 0o644 });
  // It refuses to run as root.
  const asUser =
    process.getuid?.() === 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
  const [command, ...args] = [...asUser, PROGRAM, join(folder, "pgbouncer.ini")];
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (bytes: Buffer) => (log = (log + bytes.toString()).slice(-20_000)));
  const exited = once(child, "exit");
  afterFile(async () => {
    child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  await until("PgBouncer listens", () => {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with ${child.exitCode}:\n${log}`);
    return listens(port);
  });
  return (url) => {
    const through = new URL(url);
    through.port = String(port);
    return through.href;
  };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}
