import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { expect, it, onTestFinished } from "vitest";
import { dial, readUntil } from "../http/serving.ts";
import { startStack } from "./stack.ts";

const stack = await startStack();
const { port } = stack.server;
const path = "/valinor.v1.AgentProxy/SendMessage";
const MIB = Buffer.alloc(1024 * 1024, " ");

it("a message of a call that is too large is refused over HTTP/1, and the answer arrives", async () => {
  const socket = await dial(port);
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  const answered = readUntil(socket, '"code":"resource_exhausted"');
  // What is sent after the answer and its bounds is met by a reset.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  for (let i = 0; i < 40 && socket.writable; i++) {
    socket.write("100000\r\n");
    socket.write(MIB);
    socket.write("\r\n");
    await new Promise(setImmediate);
  }
  expect(await answered).toContain("HTTP/1.1 429");
  await closed;
});

it("one that is little too large leaves the connection to the next call", async () => {
  const socket = await dial(port);
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
  socket.write(`${head}transfer-encoding: chunked\r\n\r\n`);
  const answered = readUntil(socket, '"code":"resource_exhausted"');
  for (const part of [MIB, MIB, MIB, MIB, MIB]) {
    socket.write("100000\r\n");
    socket.write(part);
    socket.write("\r\n");
  }
  socket.write("0\r\n\r\n");
  expect(await answered).toContain("HTTP/1.1 429");
  socket.write(`${head}content-length: 2\r\n\r\n{}`);
  expect(await readUntil(socket, '"code":')).not.toContain("resource_exhausted");
});

it("over HTTP/2 its stream is reset, and others of the session go on", async () => {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  const headers = { ":method": "POST", ":path": path, "content-type": "application/json" };
  const large = session.request(headers, { endStream: false });
  large.on("error", () => {});
  const closed = once(large, "close");
  let text = "";
  large.setEncoding("utf8").on("data", (part: string) => (text += part));
  for (let i = 0; i < 5; i++) large.write(MIB);
  await closed;
  expect(text).toContain('"code":"resource_exhausted"');
  expect(large.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  const other = session.request({ ":path": "/healthz" }).setEncoding("utf8");
  expect((await once(other, "data"))[0]).toBe("ok\n");
});
