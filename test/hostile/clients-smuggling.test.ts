import { connect } from "node:net";
import { expect, test } from "vitest";
import { startHostileServer } from "./harness.ts";

const server = await startHostileServer();

const GET = "GET /healthz?smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";
const POST = "POST /agents/a1/message HTTP/1.1\r\nhost: localhost\r\n";

/**
 * Bytes of which two readers could make different requests, with how many answers they may have at most. Where one reader ends a request,
 * another one would see a second: whoever stands in front of the server must never get an answer that it has not asked for.
 */
const cases: [string, string, number][] = [
  ["a length and chunks", `${POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${GET}`, 1],
  [
    "chunks and a length",
    `${POST}transfer-encoding: chunked\r\ncontent-length: ${GET.length}\r\n\r\n0\r\n\r\n${GET}`,
    1,
  ],
  ["two lengths", `${POST}content-length: 0\r\ncontent-length: ${GET.length}\r\n\r\n${GET}`, 1],
  ["a length with a sign", `${POST}content-length: +0\r\n\r\n${GET}`, 1],
  ["a length below zero", `${POST}content-length: -1\r\n\r\n${GET}`, 1],
  ["a length in hexadecimal", `${POST}content-length: 0x0\r\n\r\n${GET}`, 1],
  ["a list of lengths", `${POST}content-length: 0, 0\r\n\r\n${GET}`, 1],
  ["a length with a space before its colon", `${POST}content-length : 0\r\n\r\n${GET}`, 1],
  ["a length beyond all numbers", `${POST}content-length: 99999999999999999999\r\n\r\n${GET}`, 1],
  ["chunks under another name", `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${GET}`, 1],
  [
    "chunks twice",
    `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${GET}`,
    2,
  ],
  ["chunks, then something else", `${POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${GET}`, 1],
  ["chunks behind a vertical tab", `${POST}transfer-encoding:\u000bchunked\r\n\r\n0\r\n\r\n${GET}`, 1],
  ["chunks with a space before their colon", `${POST}transfer-encoding : chunked\r\n\r\n0\r\n\r\n${GET}`, 1],
  ["a folded header", `${POST}x-a: b\r\n content-length: ${GET.length}\r\n\r\n${GET}`, 2],
  [
    "a header line that ends with a line feed",
    `${POST}x-a: b\ncontent-length: ${GET.length}\r\n\r\n${GET}`,
    1,
  ],
  [
    "a header line that ends with a carriage return",
    `${POST}x-a: b\rcontent-length: ${GET.length}\r\n\r\n${GET}`,
    1,
  ],
  ["a zero byte in a header", `${POST}x-a: b\u0000\r\ncontent-length: 0\r\n\r\n${GET}`, 1],
  ["a space at the start of the headers", `POST /agents HTTP/1.1\r\n host: localhost\r\n\r\n${GET}`, 1],
  ["a chunk's size with a sign", `${POST}transfer-encoding: chunked\r\n\r\n+0\r\n\r\n${GET}`, 1],
  [
    "a chunk's size in more digits than a number has",
    `${POST}transfer-encoding: chunked\r\n\r\n${"0".repeat(30)}\r\n\r\n${GET}`,
    2,
  ],
  [
    "a chunk's size over all bounds",
    `${POST}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n${GET}`,
    1,
  ],
  [
    "a chunk that is longer than it says",
    `${POST}transfer-encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n${GET}`,
    1,
  ],
  ["a chunk that ends with a line feed", `${POST}transfer-encoding: chunked\r\n\r\n1\nx\n0\n\n${GET}`, 1],
  ["a line feed in a chunk's extension", `${POST}transfer-encoding: chunked\r\n\r\n0;a\nb\r\n\r\n${GET}`, 1],
  [
    "a trailer that is a length",
    `${POST}transfer-encoding: chunked\r\n\r\n0\r\ncontent-length: ${GET.length}\r\n\r\n${GET}`,
    2,
  ],
  [
    "a body of GET",
    `GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${GET.length}\r\n\r\n${GET}`,
    1,
  ],
  [
    "an upgrade to HTTP/2",
    `GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n${GET}`,
    2,
  ],
  [
    "an upgrade to a web socket",
    `GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n${GET}`,
    2,
  ],
  ["CONNECT", `CONNECT localhost:80 HTTP/1.1\r\nhost: localhost:80\r\n\r\n${GET}`, 0],
  [
    "a whole URL with another host",
    `GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n${GET}`,
    2,
  ],
  ["two hosts", `GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n${GET}`, 2],
  ["HTTP/0.9", `GET /healthz\r\n\r\n${GET}`, 1],
  ["HTTP/1.0 that would go on", `GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n${GET}`, 1],
  ["HTTP/3.0", `GET /healthz HTTP/3.0\r\nhost: localhost\r\n\r\n${GET}`, 1],
  ["a preface in the middle", `${GET.replace("smuggled", "first")}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${GET}`, 2],
  ["a request that closes", `GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n${GET}`, 1],
];

test.each(cases)(
  "%s: no answer that was not asked for, and the connection's end or order",
  async (_what, bytes, most) => {
    const text = await exchange(bytes);
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    expect(statuses.filter((status) => status !== 100).length).toBeLessThanOrEqual(most);
    expect(statuses).not.toContain(500);
    expect(statuses).not.toContain(101);
    // What was refused ended its connection: nothing behind it was read as a request.
    const refused = text.search(
      /HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/json\r\ncontent-length: \d+\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close/,
    );
    expect(refused < 0 || !text.slice(refused + 1).includes("HTTP/1.1 ")).toBe(true);
    expect(server.alive()).toBe(true);
  },
);

test("nothing of all this was logged more than a few times", () => {
  expect(server.logged()).toBeLessThan(64 * 1024);
});

/** Everything that the server says to the bytes, until it has said nothing for a while or closes. */
async function exchange(bytes: string): Promise<string> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {}).setEncoding("latin1");
  socket.write(bytes, "latin1");
  let text = "";
  await new Promise<void>((resolve) => {
    let timer = setTimeout(resolve, 1_000);
    socket.on("data", (part: string) => {
      text += part;
      clearTimeout(timer);
      timer = setTimeout(resolve, 150);
    });
    socket.once("close", () => resolve());
  });
  socket.destroy();
  return text;
}
