import { randomBytes } from "node:crypto";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact } from "../../../src/core/config/redact.ts";
import { createVault, MAX_PLACE, MAX_SECRETS, VaultError } from "../../../src/store/vault/vault.ts";
import { parseSecretKeys } from "../../../src/store/vault/vault-keys.ts";

const agent = { tenant: "acme", id: "a1" };
const [oldKey, newKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)] as const;
const vault = createVault([oldKey]);

/** What is thrown; a test that expects an error and gets none fails here. */
function errorOf(run: () => unknown): VaultError {
  try {
    run();
  } catch (error) {
    if (error instanceof VaultError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** The texts of a value, at any depth. */
function textsOf(value: JsonValue | undefined): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** A value with every secret without its prefix, as a guest gets it. */
function bare(value: JsonValue): JsonValue {
  if (typeof value === "string") return value.replace(/^secret:/, "");
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, bare(item)]));
}

/** Configurations of all shapes in which many texts are secrets. */
const secretText = fc
  .string({ unit: "binary", minLength: 1, maxLength: 80 })
  .filter((text) => text !== "[redacted]")
  .map((text) => `secret:${text}`);
const { tree } = fc.letrec<{ tree: JsonValue }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    secretText,
    fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: "binary" }), tie("tree"), { maxKeys: 4 }),
  ),
}));
const config = fc.dictionary(fc.string({ unit: "binary" }), tree);

describe("A vault", () => {
  test("gives back what it sealed, without the prefix of secrets", () => {
    fc.assert(
      fc.property(config, (plain) => {
        const stored = vault.seal(agent, plain, {});
        expect(vault.open(agent, JSON.parse(JSON.stringify(stored)) as JsonObject)).toEqual(bare(plain));
      }),
    );
  });

  test("shows nothing of a secret's text in the stored form", () => {
    const secret = fc.string({ unit: "grapheme-ascii", minLength: 6, maxLength: 200 });
    fc.assert(
      fc.property(secret, (text) => {
        const stored = JSON.stringify(vault.seal(agent, { deep: [{ key: `secret:${text}` }] }, {}));
        for (const form of [
          text,
          Buffer.from(text).toString("base64url"),
          Buffer.from(text).toString("hex"),
        ]) {
          expect(stored).not.toContain(form);
        }
      }),
    );
  });

  test("seals the same secret differently every time, and hides its length roughly", () => {
    const seal = (text: string) => textsOf(vault.seal(agent, { text: `secret:${text}` }, {}))[0] ?? "";
    expect(seal("same")).not.toBe(seal("same"));
    expect(seal("a").length).toBe(seal("a".repeat(30)).length);
    expect(seal("a").length).toBeLessThan(seal("a".repeat(31)).length);
  });

  test("leaves all other texts as they are", () => {
    const plain = {
      text: "not a secret: really",
      Secret: "SECRET:x",
      n: 1,
      no: null,
      list: [true, " secret:x"],
    };
    expect(vault.seal(agent, plain, {})).toEqual(plain);
    expect(createVault([]).seal(agent, plain, {})).toEqual(plain);
    expect(createVault([]).open(agent, plain)).toEqual(plain);
  });

  test("takes a text that looks like a sealed one for a secret with that text", () => {
    const sealed = textsOf(vault.seal(agent, { key: "secret:hidden" }, {}))[0] ?? "";
    const again = vault.seal(agent, { key: sealed }, {});
    expect(vault.open(agent, again)).toEqual({ key: sealed.slice("secret:".length) });
  });

  test("keeps a key named __proto__", () => {
    const plain = JSON.parse('{"__proto__": {"key": "secret:x"}}') as JsonObject;
    const stored = vault.seal(agent, plain, {});
    expect(JSON.stringify(vault.open(agent, stored))).toBe('{"__proto__":{"key":"x"}}');
  });

  describe("opens nothing", () => {
    const stored = vault.seal(agent, { key: "secret:hidden", other: "secret:too" }, {});

    test.each([
      ["for another agent", { tenant: "acme", id: "a2" }],
      ["for another tenant", { tenant: "other", id: "a1" }],
      ["if tenant and id only read the same together", { tenant: "acmea", id: "1" }],
    ])("%s", (_what, other) => {
      expect(errorOf(() => vault.open(other, stored)).code).toBe("damaged");
    });

    test("that was moved to another place of the configuration", () => {
      const moved = { greeting: stored["key"] ?? null };
      expect(errorOf(() => vault.open(agent, moved)).code).toBe("damaged");
    });

    test("with another key, and says which one it needs", () => {
      const error = errorOf(() => createVault([newKey]).open(agent, stored));
      expect(error.code).toBe("no_key");
      expect(error.message).toMatch(/"\/key".*id [0-9a-f]{8}.*secrets\.key_file or VALINOR_SECRETS_KEY/);
    });

    test("whose key id was changed to that of another key", () => {
      const other = createVault([newKey]);
      const id = /^secret:v1:([0-9a-f]{8})/.exec(
        textsOf(other.seal(agent, { key: "secret:x" }, {}))[0] ?? "",
      )?.[1];
      const changed = { key: (stored["key"] as string).replace(/v1:[0-9a-f]{8}/, `v1:${id}`) };
      expect(errorOf(() => other.open(agent, changed)).code).toBe("damaged");
    });

    test("of which any character was changed", () => {
      const text = stored["key"] as string;
      const start = text.lastIndexOf(":") + 1;
      const position = fc.integer({ min: start, max: text.length - 1 });
      fc.assert(
        fc.property(position, fc.constantFrom("A", "Q", "g", "w", "_", "-", "0", "9"), (at, letter) => {
          fc.pre(text[at] !== letter);
          const key = text.slice(0, at) + letter + text.slice(at + 1);
          expect(errorOf(() => vault.open(agent, { key })).code).toBe("damaged");
        }),
      );
    });

    test.each([
      "secret:in the open",
      "secret:",
      "secret:v1:00000000:",
      "secret:v2:00000000:AAAA",
      "secret:[redacted]",
    ])("that is not in the stored form: %s", (key) => {
      const error = errorOf(() => vault.open(agent, { key }));
      expect(error.code).toBe("damaged");
      expect(error.message).not.toContain("in the open");
    });

    test("that was cut short", () => {
      const key = (stored["key"] as string).slice(0, 40);
      expect(errorOf(() => vault.open(agent, { key })).code).toBe("damaged");
    });
  });

  describe("with secret:[redacted]", () => {
    test("keeps the secret at the same place, in lists that are as they were read", () => {
      const current = vault.seal(
        agent,
        { a: { "b/c~d": ["secret:one", "x", "secret:two"] }, gone: "secret:y" },
        {},
      );
      const pushed = redact(current);
      expect(pushed).toEqual({
        a: { "b/c~d": ["secret:[redacted]", "x", "secret:[redacted]"] },
        gone: "secret:[redacted]",
      });
      delete pushed["gone"];
      const next = vault.seal(agent, { ...pushed, added: "secret:three" }, current);
      expect(vault.open(agent, next)).toEqual({ a: { "b/c~d": ["one", "x", "two"] }, added: "three" });
    });

    test.each([
      ["nothing", {}],
      ["a text that is no secret", { key: "plain" }],
      ["an object", { key: { key: "secret:x" } }],
      ["a key of every object", { constructor: "secret:x" }],
    ])("refuses if there is %s", (_what, before) => {
      const current = vault.seal(agent, before, {});
      const error = errorOf(() => vault.seal(agent, { key: "secret:[redacted]" }, current));
      expect(error).toMatchObject({ code: "no_secret" });
      expect(error.message).toContain('"/key"');
    });
  });

  test("refuses an empty secret", () => {
    expect(errorOf(() => vault.seal(agent, { key: "secret:" }, {})).code).toBe("no_secret");
  });

  test("refuses more secrets than it takes", () => {
    const list = (count: number) => ({ list: Array.from({ length: count }, (_, n) => `secret:${n}`) });
    expect(() => vault.seal(agent, list(MAX_SECRETS), {})).not.toThrow();
    expect(errorOf(() => vault.seal(agent, list(MAX_SECRETS + 1), {})).code).toBe("too_many");
  });

  test("refuses a secret under keys that are so long that many of them would keep the program busy", () => {
    const under = (key: string) => ({ [key]: { secret: "secret:x" } });
    expect(() => vault.seal(agent, under("k".repeat(MAX_PLACE - 8)), {})).not.toThrow();
    expect(errorOf(() => vault.seal(agent, under("k".repeat(MAX_PLACE - 7)), {})).code).toBe("too_deep");
  });

  test("without keys refuses secrets, and says which setting to set", () => {
    const error = errorOf(() => createVault([]).seal(agent, { key: "secret:hidden" }, {}));
    expect(error.code).toBe("no_key");
    expect(error.message).toMatch(/secrets\.key_file or VALINOR_SECRETS_KEY/);
    expect(error.message).not.toContain("hidden");
  });

  test("keeps a place in an error short, however long a client's keys are", () => {
    const error = errorOf(() => vault.seal(agent, { ["k".repeat(100_000)]: "secret:" }, {}));
    expect(error.message.length).toBeLessThan(400);
  });

  describe("whose key is changed", () => {
    const stored = vault.seal(agent, { key: "secret:hidden", more: "x" }, {});
    const rotated = createVault([newKey, oldKey]);

    test("opens what the old key sealed, and seals with the new one", () => {
      expect(rotated.open(agent, stored)).toEqual({ key: "hidden", more: "x" });
      const fresh = rotated.seal(agent, { key: "secret:fresh" }, stored);
      expect(createVault([newKey]).open(agent, fresh)).toEqual({ key: "fresh" });
    });

    test("seals a kept secret with the new key, so that the old key can go", () => {
      const next = rotated.seal(agent, redact(stored), stored);
      expect(createVault([newKey]).open(agent, next)).toEqual({ key: "hidden", more: "x" });
    });

    test("keeps a secret as it is stored if the key stays", () => {
      expect(vault.seal(agent, redact(stored), stored)).toEqual(stored);
    });

    test("can't keep a secret whose key is gone", () => {
      const code = errorOf(() => createVault([newKey]).seal(agent, redact(stored), stored)).code;
      expect(code).toBe("no_key");
    });
  });
});

describe("Keys for secrets", () => {
  const bytes = randomBytes(32);

  test.each([
    ["base64", bytes.toString("base64")],
    ["base64 for URLs", bytes.toString("base64url")],
    ["hexadecimal", bytes.toString("hex")],
    ["capital hexadecimal", bytes.toString("hex").toUpperCase()],
    ["a file with comments", `# made in May\r\n\r\n  ${bytes.toString("hex")}  # current\n`],
  ])("are read from %s", (_form, text) => {
    expect(parseSecretKeys(text)).toEqual([bytes]);
  });

  test("are read in order, one a line or parted by commas", () => {
    const [a, b, c] = [randomBytes(32), randomBytes(32), randomBytes(32)];
    const text = `${a.toString("hex")}\n${b.toString("base64")},${c.toString("base64")}`;
    expect(parseSecretKeys(text)).toEqual([a, b, c]);
  });

  test.each([
    ["of 31 bytes", randomBytes(31).toString("base64")],
    ["of 33 bytes", randomBytes(33).toString("base64")],
    ["that is a password", "correct-horse-battery-staple"],
    ["with a typing error", `${bytes.toString("base64").slice(0, 10)}!${bytes.toString("base64").slice(11)}`],
    ["of half a hexadecimal digit", bytes.toString("hex").slice(1)],
  ])("are refused %s, by line and without what it holds", (_what, word) => {
    const wanted = "a key is 32 bytes in base64 or hexadecimal, as `openssl rand -base64 32` makes it";
    expect(() => parseSecretKeys(`# first\n${word}`)).toThrow(new Error(`line 2 is not a key: ${wanted}`));
  });

  test.each(["", "\n", "# none\n"])("are refused if there are none: %j", (text) => {
    expect(() => parseSecretKeys(text)).toThrow(/no key/);
  });

  test("have 32 bytes, or make no vault", () => {
    expect(() => createVault([randomBytes(16)])).toThrow(RangeError);
  });
});
