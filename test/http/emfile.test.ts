import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { ask, dial } from "./serving.ts";

const listener = new URL("../../src/http/server/listener.ts", import.meta.url).href;

/** A server of its own process, which tells the CPU time it has used so far. */
const program = `
  import { createListener } from ${JSON.stringify(listener)};
  const handler = (_req, res) => res.end(String(process.cpuUsage().user + process.cpuUsage().system));
  const logger = { warn: (_fields, text) => console.error(text), error: () => {} };
  const { port } = await createListener({ handler, logger }).listen("127.0.0.1", 0);
  console.log(port);
`;

test.skipIf(process.platform === "win32")(
  "a process without file descriptors neither spins nor dies",
  async () => {
    const child = spawn("sh", [
      "-c",
      'ulimit -n 60; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      program,
    ]);
    onTestFinished(() => void child.kill("SIGKILL"));
    let logged = "";
    child.stderr.on("data", (part: Buffer) => (logged += part.toString()));
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const port = Number(line.toString());
    const before = Number((await ask(port, "/")).body);
    const sockets = await Promise.all(Array.from({ length: 100 }, () => dial(port)));
    // Each is either held or closed by the server; some are closed, as there are not enough descriptors for all.
    await Promise.any(
      sockets.map((socket) => new Promise((resolve) => socket.resume().once("close", resolve))),
    );
    await delay(500);
    for (const socket of sockets) socket.destroy();
    let after = NaN;
    while (Number.isNaN(after)) {
      after = await ask(port, "/").then(
        ({ body }) => Number(body),
        () => NaN,
      );
    }
    expect(after - before).toBeLessThan(250_000);
    expect(logged.split("\n").length).toBeLessThan(5);
  },
);
