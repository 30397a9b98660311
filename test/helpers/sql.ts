import { Client, type QueryResult } from "pg";

/** Runs SQL on a connection of its own, which is closed afterwards. */
export async function sql(url: string, text: string): Promise<QueryResult<Record<string, unknown>>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query<Record<string, unknown>>(text);
  } finally {
    await client.end();
  }
}
