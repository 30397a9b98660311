import { connect } from "node:net";
import type { Connection, ConnectionOptions } from "../../src/link/connection.ts";
import { createIntake } from "../../src/link/intake.ts";
import { openConnection } from "../../src/link/open.ts";
import { LinkError } from "../../protocol/wire/errors.ts";
import { afterFile } from "../helpers/cleanup.ts";
import type { Guest } from "./fake-guest.ts";

export { failureOf } from "../helpers/failures.ts";

/** A signal that never aborts. */
export const forever = new AbortController().signal;

/** Opens one connection to a guest, past its hello; it is closed after the file's last test. */
export async function connectTo(
  guest: Guest,
  options: Partial<ConnectionOptions> = {},
  signal = forever,
): Promise<Connection> {
  const connection = await openConnection(
    connect(guest.port, "127.0.0.1"),
    {
      token: "",
      agentId: "a",
      pingMs: 3_000,
      silenceMs: 60_000,
      intake: createIntake(),
      onHeartbeat: () => {},
      ...options,
    },
    signal,
  );
  afterFile(() => connection.close(new LinkError("closed", "the test is over")));
  return connection;
}
