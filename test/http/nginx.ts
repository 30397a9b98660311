import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { tempDir } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { spawnProgram } from "../helpers/process.ts";
import { until } from "../helpers/until.ts";

/** Debian puts it where a user's PATH does not look. */
const env = { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` };

/** Why nginx cannot run here, for `describe.skipIf`; undefined if it can. Under CI a machine without it fails. */
export function reasonToSkipNginx(): string | undefined {
  if (process.env["CI"] === "true" || spawnSync("nginx", ["-v"], { env }).status === 0) return undefined;
  return "nginx is not installed";
}

/** A `server` block: what stands in it beside `listen`. */
export interface NginxServer {
  readonly listen?: "http2";
  readonly lines: string;
}

/** Starts a real nginx with these servers, until the last test of the file; gives the address of each. */
export async function startNginx(servers: readonly NginxServer[]): Promise<readonly string[]> {
  const dir = tempDir();
  mkdirSync(join(dir, "tmp"));
  for (let tries = 1; ; tries++) {
    const ports = await Promise.all(servers.map(() => freePort()));
    writeFileSync(join(dir, "nginx.conf"), configOf(dir, servers, ports));
    const args = ["-p", dir, "-c", join(dir, "nginx.conf"), "-e", "stderr"];
    const program = spawnProgram("nginx", args, { env });
    const ended = program.exited.then(({ code }) => {
      throw new Error(`nginx ended with ${code}: ${program.stderr()}`);
    });
    const listening = until("nginx listens", async () =>
      (await Promise.all(ports.map(answers))).every(Boolean),
    );
    try {
      await Promise.race([ended, listening]);
      ended.catch(() => {});
      return ports.map((port) => `http://127.0.0.1:${port}`);
    } catch (error) {
      // Somebody else may have taken a port in the meantime.
      listening.catch(() => {});
      if (tries === 3) throw error;
    }
  }
}

function configOf(dir: string, servers: readonly NginxServer[], ports: readonly number[]): string {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${dir}/tmp/${kind};`)
    .join("\n");
  const blocks = servers.map(
    ({ listen = "", lines }, index) =>
      `  server {\n    listen 127.0.0.1:${ports[index]} ${listen};\n${lines}\n  }`,
  );
  return `daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
${temp}
${blocks.join("\n")}
}
`;
}

function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
