import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { call, chunks, cut, type Row, stream, whole } from "./row.ts";

const { chunk, text, end, calls } = chunks({ id: "c1", object: "chat.completion.chunk" });
const said = stream(text("Grüße "), text("an 😀"), end("stop"));
const seen = { text: "Grüße an 😀", finish: "stop" } as const;
const inOnePiece = whole({}, { content: "Grüße an 😀" }, "stop");
const compressed = { "content-type": "text/event-stream" };

/** Answers whose bytes are framed, labelled or compressed otherwise than was asked for. */
export const framing: readonly Row[] = [
  {
    name: "data with nothing in it between the pieces",
    body: `data:\n\n${cut(text("Grüße "))}data: \n\ndata\n\n${stream(text("an 😀"), end("stop"))}`,
    sees: seen,
  },
  {
    name: "an end mark with spaces around it",
    body: `${cut(text("Grüße an 😀"), end("stop"))}data:   [DONE]  \n\n`,
    sees: seen,
  },
  { name: "no space after the colon", body: said.replaceAll("data: ", "data:"), sees: seen },
  { name: "lines that end in CR LF", body: said.replaceAll("\n", "\r\n"), sees: seen },
  { name: "lines that end in CR", body: said.replaceAll("\n", "\r"), sees: seen },
  { name: "a byte order mark", body: `\ufeff${said}`, sees: seen },
  { name: "a byte order mark before JSON", body: `\ufeff${inOnePiece}`, sees: seen },
  {
    name: "an object over several lines of data",
    body: `data: {"choices":\ndata: [{"delta":{"content":\ndata: "Grüße an 😀"}}]}\n\n${stream(end("stop"))}`,
    sees: seen,
  },
  { name: "no empty lines between the events", body: said.replaceAll("\n\n", "\n"), sees: seen },
  {
    name: "ids, times to retry, comments and fields that nobody knows",
    body: `id: 1\nretry: 3000\nfoo: bar\n: note\n\n${said.replaceAll("data: ", "event: message\nid: 2\ndata: ")}`,
    sees: seen,
  },
  {
    name: "a stream that is called plain text",
    headers: { "content-type": "text/plain" },
    body: said,
    sees: seen,
  },
  {
    name: "a stream that is called JSON",
    headers: { "content-type": "application/json" },
    body: said,
    sees: seen,
  },
  { name: "a stream that is called nothing", headers: {}, body: said, sees: seen },
  {
    name: "JSON that is called a stream",
    headers: { "content-type": "text/event-stream; charset=utf-8" },
    body: inOnePiece,
    sees: seen,
  },
  {
    name: "a stream under gzip",
    headers: { ...compressed, "content-encoding": "gzip" },
    body: gzipSync(said),
    sees: seen,
  },
  { name: "a stream under gzip that nobody says", headers: compressed, body: gzipSync(said), sees: seen },
  {
    name: "a stream that only says it is under gzip",
    headers: { ...compressed, "content-encoding": "gzip" },
    body: said,
    sees: seen,
  },
  {
    name: "a stream under brotli",
    headers: { ...compressed, "content-encoding": "br" },
    body: brotliCompressSync(said),
    sees: seen,
  },
  {
    name: "a stream under zstd",
    headers: { ...compressed, "content-encoding": "zstd" },
    body: zstdCompressSync(said),
    sees: seen,
  },
  {
    name: "JSON under deflate",
    headers: { "content-encoding": "deflate" },
    body: deflateSync(inOnePiece),
    sees: seen,
  },
  {
    name: "JSON under deflate without its header",
    headers: { "content-encoding": "deflate" },
    body: deflateRawSync(inOnePiece),
    sees: seen,
  },
  {
    name: "a stream under gzip and then brotli",
    headers: { ...compressed, "content-encoding": "gzip, br" },
    body: brotliCompressSync(gzipSync(said)),
    sees: seen,
  },
  {
    name: "an error under gzip",
    status: 500,
    headers: { "content-encoding": "gzip" },
    body: gzipSync(JSON.stringify({ error: "out of memory" })),
    sees: { code: "openclaw_error", says: "OpenClaw answered 500: out of memory" },
  },
  {
    name: "a compression that is broken",
    headers: { ...compressed, "content-encoding": "gzip" },
    body: Buffer.concat([gzipSync(said).subarray(0, 10), Buffer.from("\xff\xff\xff\xff\xff\xff", "latin1")]),
    sees: { code: "parse_error", says: "the model's answer cannot be decompressed (gzip)" },
  },
  {
    name: "a compression that nobody knows",
    headers: { ...compressed, "content-encoding": "compress" },
    body: Buffer.from([0x1f, 0x9d, 0x90, 0x00, 0x01]),
    sees: { code: "parse_error", says: "the model's answer has a content-encoding that is not known" },
  },
  {
    name: "a bomb of 200 MiB under gzip",
    headers: { ...compressed, "content-encoding": "gzip" },
    body: bomb(),
    sees: { code: "too_large", says: "the model's answer is over 134217728 bytes" },
  },
  {
    name: "halves of surrogate pairs in every text",
    body: `${cut(chunk({ content: "a\ud83d" }), chunk({ content: "\ude00b\ude00c" }))}${stream(
      calls(call(0, "id\ud83d", "na\udc00me", '{"x":"\ud83d"}')),
      end("st\ud83dop"),
    )}`,
    sees: {
      text: "a😀b\ufffdc",
      calls: [{ id: "id\ufffd", name: "na\ufffdme", args: '{"x":"\ufffd"}' }],
      finish: "st\ufffdop",
    },
  },
  {
    name: "nothing at all",
    headers: { "content-type": "text/event-stream" },
    body: "",
    sees: { code: "empty_response", says: "the model's answer holds nothing" },
  },
  {
    name: "an end mark alone",
    body: "data: [DONE]\n\n",
    sees: { code: "empty_response", says: "the model's answer holds nothing" },
  },
  {
    name: "choices that are null",
    body: stream({ id: "c1", choices: null }, text("Grüße an 😀"), end("stop")),
    sees: seen,
  },
  {
    name: "choices without an index in one piece",
    body: JSON.stringify({
      choices: [
        { message: { content: "Grüße an 😀" }, finish_reason: "stop" },
        { message: { content: "no" }, finish_reason: "stop" },
      ],
    }),
    sees: seen,
  },
  {
    name: "signs of life that are no JSON",
    body: `data: ping\n\n${cut(text("Grüße "))}event: heartbeat\ndata: 17\n\ndata: Keep-Alive\n\ndata: null\n\n${stream(text("an 😀"), end("stop"))}`,
    sees: seen,
  },
  {
    name: "a role in a delta, and then all of the text as a message",
    body: stream(chunk({ role: "assistant" }), JSON.parse(inOnePiece)),
    sees: seen,
  },
  {
    name: "a reason that is an object",
    body: stream(text("Grüße an 😀"), chunk({}, { type: "stop", matched: 2 })),
    sees: seen,
  },
  {
    name: "an event that nests two million deep",
    body: `data: {"x":${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}}\n\n`,
    sees: { code: "too_large", says: "the model's answer has nesting over 64" },
  },
  {
    name: "JSON in one piece with a million values",
    body: `{"x":[${"1,".repeat(1_000_000)}1]}`,
    sees: { code: "too_large", says: "the model's answer has more than 100000 tokens" },
  },
  {
    name: "half of an event",
    body: `${cut(text("Grüße"))}data: {"choices":[{"ind`,
    sees: { text: "Grüße", code: "truncated", says: "the model's answer is not complete" },
  },
  {
    name: "an object that is broken",
    body: `${cut(text("Grüße"))}data: {"choices":[}\n\n`,
    sees: { text: "Grüße", code: "parse_error", says: "the model's answer is not JSON" },
  },
  {
    name: "a call with no name",
    body: stream(calls(call(0, "c1", undefined, "{}")), end("tool_calls")),
    sees: { code: "parse_error", says: "the model calls a tool without a name" },
  },
];

/** A comment of 200 MiB: no event of it is large. */
function bomb(): Uint8Array {
  return gzipSync(Buffer.alloc(200 * 1024 * 1024, ": zeros\n"), { level: 1 });
}
