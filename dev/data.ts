import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CliError } from "@valinor/cli/internal";

/** Ports for the agent come from here: below the ports that outgoing connections take, so that the agent's stays free between runs. */
const AGENT_PORTS = { from: 20_000, to: 32_000 };
const PORT_ATTEMPTS = 50;

/** Where `valinor dev` keeps what outlives it. */
export interface DevData {
  readonly dir: string;
  /** The control plane's database. */
  readonly storePath: string;
  /** File with the token that opens the link to the agent. */
  readonly tokenPath: string;
  /** File with the key that seals secrets of configurations. */
  readonly secretsKeyPath: string;
  /** The agent's own state. */
  readonly agentStateDir: string;
  /** Lets another `valinor dev` have the directory. */
  release(): void;
}

/**
 * Opens the directory. If there is none it is made, for its owner alone and with fresh secrets. Throws CliError if another
 * `valinor dev` uses it; a crash leaves no lock behind.
 */
export function openDevData(path: string): DevData {
  const dir = resolve(path);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const release = lock(dir);
  const tokenPath = join(dir, "link-token");
  if (!existsSync(tokenPath)) writeFileSync(tokenPath, randomBytes(32).toString("hex"), { mode: 0o600 });
  const secretsKeyPath = join(dir, "secrets-key");
  if (!existsSync(secretsKeyPath))
    writeFileSync(secretsKeyPath, randomBytes(32).toString("base64"), { mode: 0o600 });
  return {
    dir,
    storePath: join(dir, "valinor.db"),
    tokenPath,
    secretsKeyPath,
    agentStateDir: join(dir, "agent"),
    release,
  };
}

/** Holds an exclusive transaction on a file: the system drops it with the process, however that ends. */
function lock(dir: string): () => void {
  const database = new DatabaseSync(join(dir, "lock"));
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw new CliError(
      `another valinor dev uses ${dir}: stop it first, or choose another directory with --data`,
      { cause: error },
    );
  }
  return () => database.close();
}

/**
 * Picks the agent's port on 127.0.0.1 and keeps it: the same port as last time if it is still free, so that the agent's
 * address stays. Throws CliError if no port is free.
 */
export async function keepAgentPort(data: DevData): Promise<number> {
  const file = join(data.dir, "agent-port");
  const kept = existsSync(file) ? Number(readFileSync(file, "utf8")) : NaN;
  if (Number.isInteger(kept) && kept > 0 && kept < 65_536 && (await isFree(kept))) return kept;
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const port = AGENT_PORTS.from + Math.floor(Math.random() * (AGENT_PORTS.to - AGENT_PORTS.from));
    if (!(await isFree(port))) continue;
    writeFileSync(file, `${port}\n`, { mode: 0o600 });
    return port;
  }
  throw new CliError(`no port on 127.0.0.1 is free for the agent: ${PORT_ATTEMPTS} were tried`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
    return true;
  } catch {
    return false; // taken, or not ours to have: another one is tried
  } finally {
    probe.close();
  }
}
