import { afterFile } from "./cleanup.ts";
import { launchPostgres, type TestPostgres } from "./postgres-server.ts";

export { missingPostgres, type TestPostgres } from "./postgres-server.ts";

/** launchPostgres for one test file: it is removed after the file's last test. */
export async function startPostgres(): Promise<TestPostgres> {
  const server = await launchPostgres();
  afterFile(() => server.remove());
  return server;
}
