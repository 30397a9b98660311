import { once } from "node:events";
import { connect, type IncomingHttpHeaders } from "node:http2";

/** Asks once over HTTP/2 with prior knowledge, and reads the answer to its end. */
export async function request(port: number, headers: Record<string, string>, body?: string) {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const [answer] = (await once(stream, "response")) as [IncomingHttpHeaders & { ":status": number }];
    let text = "";
    for await (const part of stream) text += String(part);
    return { status: answer[":status"], headers: answer, body: text };
  } finally {
    session.destroy();
  }
}
