import { once } from "node:events";
import { createServer } from "node:net";

/** Finds a port of 127.0.0.1 that nobody listens on, below 32768, so that no outgoing connection takes it meanwhile. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port found in 50 attempts");
}

/** Says whether one could listen on a port of 127.0.0.1 now. */
export async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
