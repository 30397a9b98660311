import { execFile, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { createFrameDecoder } from "../../../protocol/wire/decoder.ts";
import { canonicalJson, configDigest, contextDigest } from "../../../protocol/wire/digest.ts";
import { encodeFrame, type Frame } from "../../../protocol/wire/frame.ts";
import { readPayload, writePayload } from "../../../protocol/wire/payload.ts";
import { type FrameType, frameTypes } from "../../../protocol/wire/vocabulary.ts";
import { bytesOf, decode, type Part, refusal, vectors } from "./pieces.ts";
import { schemas } from "./schemas.ts";

interface FrameCase {
  readonly name: string;
  readonly type: FrameType;
  readonly id: string;
  readonly payload: Record<string, unknown>;
  readonly hex: string;
  readonly written: boolean;
  readonly protocol: 1 | 2;
}

const frameCases = vectors("frames") as FrameCase[];

describe("frames of the vectors", () => {
  test.each(frameCases)("$name: is decoded", ({ hex, type, id, payload }) => {
    const bytes = Buffer.from(hex, "hex");
    expect(decode(bytes)).toStrictEqual([{ type, id, payload, size: bytes.length }]);
  });

  test.each(frameCases.filter((one) => one.written))("$name: is encoded", ({ hex, type, id, payload }) => {
    expect(encodeFrame(type, id, payload).toString("hex")).toBe(hex);
  });

  // Hello and ping of a host are written from messages too; `x` and unknown types have none.
  test.each(frameCases.filter((one) => one.written && one.type in schemas))(
    "$name: the payload comes from its message",
    ({ type, payload }) => {
      const schema = schemas[type];
      expect(JSON.stringify(writePayload(schema, readPayload(schema, payload)))).toBe(
        JSON.stringify(payload),
      );
    },
  );

  test("every type has a vector", () => {
    const types = new Set<string>(frameCases.map((one) => one.type));
    expect(frameTypes.filter((type) => !types.has(type))).toStrictEqual([]);
  });
});

interface InvalidCase {
  readonly name: string;
  readonly stream: readonly Part[];
  readonly error: string;
}

describe("invalid streams of the vectors", () => {
  test.each(vectors("invalid") as InvalidCase[])("$name", ({ stream, error }) => {
    const bytes = bytesOf(stream);
    expect(refusal(bytes)).toBe(error);
    // Byte by byte too, if that is quick.
    const single = bytes.length < 10_000 ? Array.from(bytes, (byte) => Buffer.from([byte])) : [bytes];
    expect(refusal(...single)).toBe(error);
  });
});

interface StreamCase {
  readonly name: string;
  readonly pieces: readonly (readonly Part[])[];
  readonly frames: readonly Omit<Frame, "size">[];
  readonly sizes?: readonly number[];
  readonly partial: boolean;
}

test.each(vectors("streams") as StreamCase[])(
  "a split stream: $name",
  ({ pieces, frames, sizes, partial }) => {
    const got: Frame[] = [];
    const decoder = createFrameDecoder((frame) => got.push(frame));
    for (const piece of pieces) decoder.push(bytesOf(piece));
    expect(decoder.partial).toBe(partial);
    const seen = got.map(({ type, id, payload, size }) =>
      sizes === undefined ? { type, id, payload } : size,
    );
    expect(seen).toStrictEqual(sizes ?? frames);
  },
);

interface DigestCase {
  readonly name: string;
  readonly config_json: string;
  readonly mode: "all" | "listed";
  readonly tools: readonly string[];
  readonly canonical: string;
  readonly sha256: string;
}

interface ContextCase {
  readonly name: string;
  readonly context_json: string;
  readonly sha256: string;
}

const digests = vectors("digests") as object[];
const contextCases = digests.filter((one) => "context_json" in one) as ContextCase[];
const configCases = digests.filter((one) => "config_json" in one) as DigestCase[];

test.each(contextCases)("a digest: $name", (one) => {
  const entries = JSON.parse(one.context_json) as Record<string, string>;
  expect(contextDigest(Object.entries(entries))).toBe(one.sha256);
});

test.each(configCases)("a digest: $name: $name", (one) => {
  const config = JSON.parse(one.config_json) as unknown;
  const policy = { mode: one.mode, tools: one.tools };
  expect(configDigest(config, policy)).toBe(one.sha256);
  const tools = one.tools.toSorted();
  expect(canonicalJson({ config: config ?? {}, tool_policy: { ...policy, tools } })).toBe(one.canonical);
});

interface ExchangeCase {
  readonly name: string;
  readonly protocol: 1 | 2;
  readonly steps: readonly (FrameCase & { readonly from: "host" | "guest" })[];
}

test.each(vectors("exchanges") as ExchangeCase[])("an exchange: $name", ({ steps }) => {
  for (const from of ["host", "guest"]) {
    const sent = steps.filter((step) => step.from === from);
    const bytes = Buffer.from(sent.map((step) => step.hex).join(""), "hex");
    const frames = sent.map(({ type, id, payload, hex }) => ({ type, id, payload, size: hex.length / 2 }));
    expect(decode(bytes)).toStrictEqual(frames);
    for (const { type, id, payload, hex } of sent) {
      const written = writePayload(schemas[type], readPayload(schemas[type], payload));
      expect(encodeFrame(type, id, written).toString("hex")).toBe(hex);
    }
  }
});

const check = fileURLToPath(new URL("../../vectors/check.py", import.meta.url));
const python = spawnSync("python3", ["--version"]).status === 0;
test("a reader in Python agrees", async ({ skip }) => {
  // Where everything must be checked (CI) a missing python3 fails the test.
  skip(!python && process.env["CI"] !== "true", "there is no python3 here");
  const { stdout } = await promisify(execFile)("python3", [check], { timeout: 25_000 });
  expect(stdout).toMatch(/^[1-9]\d* vectors checked, 0 failed$/m);
});
