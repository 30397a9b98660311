import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { freePort } from "./ports.ts";
import { sql } from "./sql.ts";

/** Where Debian and others put the server's programs, which are not on PATH there. */
const FOLDERS = ["/usr/lib/postgresql/15/bin", ...(process.env["PATH"] ?? "").split(delimiter)];

/** A PostgreSQL server with databases of its own. */
export interface TestPostgres {
  /** Its folder, in which its programs run: `data` and `log` are in it. */
  readonly folder: string;
  /** URL of a database, over loopback. */
  url(database: string): string;
  /** Makes an empty database and resolves with its name. */
  createDatabase(): Promise<string>;
  /** `fast` ends connections first, `immediate` ends the server as a crash does. */
  stop(mode: "fast" | "immediate"): void;
  start(): void;
  /** Ends every process of the server with SIGKILL, as a host does that dies. */
  kill(): void;
  /** Runs a program of PostgreSQL, such as pg_dump, and gives its output. */
  run(program: string, args: readonly string[]): string;
  /** Stops the server and removes its files; the end of the test file does so, too. */
  remove(): void;
}

/** Why no server can be started here; undefined if one can, or must (CI=true). */
export function missingPostgres(): string | undefined {
  if (process.env["CI"] === "true") return undefined;
  return folder() === undefined ? "there is no PostgreSQL here" : undefined;
}

function folder(): string | undefined {
  return FOLDERS.find((name) => existsSync(join(name, "initdb")) && existsSync(join(name, "pg_ctl")));
}

/** Makes a cluster in a fresh directory and starts its server on a free port of 127.0.0.1, with user `valinor` and a password. */
export async function launchPostgres(): Promise<TestPostgres> {
  const bin = folder();
  if (bin === undefined) throw new Error(`there is no PostgreSQL in ${FOLDERS.join(", ")}`);
  const top = mkdtempSync(join(tmpdir(), "valinor-pg-"));
  const data = join(top, "data");
  const port = await freePort();
  const owner = process.getuid?.() === 0 ? "postgres" : undefined;
  if (owner !== undefined) execFileSync("chown", [owner, top]);
  chmodSync(top, 0o755);
  /** PostgreSQL refuses to run as root. */
  const run = (program: string, args: readonly string[]): string => {
    const command = [join(bin, program), ...args];
    const all =
      owner === undefined
        ? command
        : ["setpriv", `--reuid=${owner}`, `--regid=${owner}`, "--clear-groups", ...command];
    const { status, error, stdout, stderr } = spawnSync(all[0] ?? "", all.slice(1), {
      cwd: top,
      encoding: "utf8",
      timeout: 30_000,
      env: { ...process.env, PGPASSWORD: PASSWORD },
      // The server itself keeps what pg_ctl was given.
      stdio: program === "pg_ctl" ? "ignore" : "pipe",
    });
    if (status === 0) return stdout;
    throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
  };
  // A locale that sorts other than by code unit, so that a query that relies on the database's own order is seen.
  const options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en-US"];
  execFileSync("sh", ["-c", 'umask 022; printf %s "$1" > "$2"', "sh", PASSWORD, join(top, "password")]);
  run("initdb", ["-D", data, "-U", "valinor", "--no-sync", `--pwfile=${join(top, "password")}`, ...options]);
  const settings = `-p ${port} -k ${top} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=400`;
  let isRunning = false;
  let databases = 0;
  const server: TestPostgres = {
    folder: top,
    url: (database) => `postgres://valinor:${PASSWORD}@127.0.0.1:${port}/${database}`,
    async createDatabase() {
      const name = `test_${++databases}`;
      await sql(server.url("postgres"), `create database ${name}`);
      return name;
    },
    stop(mode) {
      run("pg_ctl", ["stop", "-D", data, "-m", mode, "-w"]);
      isRunning = false;
    },
    start() {
      run("pg_ctl", ["start", "-D", data, "-w", "-o", settings, "-l", join(top, "log")]);
      isRunning = true;
    },
    kill() {
      const [pid = ""] = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
      for (const each of [pid, ...children]) process.kill(Number(each), "SIGKILL");
      isRunning = false;
    },
    run,
    remove() {
      if (isRunning) server.stop("immediate");
      rmSync(top, { recursive: true, force: true });
    },
  };
  server.start();
  return server;
}

const PASSWORD = "p4ss-w0rd-of-tests";
