import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Config, loadConfig } from "../../src/config.ts";
import { tempDir } from "../helpers/cleanup.ts";

const root = join(import.meta.dirname, "../..");
const folder = join(tempDir(), "valinor");
const page = readFileSync(join(root, "docs/security.md"), "utf8");
const text = page.replaceAll("/etc/valinor", folder);

/** The page's blocks of a language. */
function blocks(language: string): string[] {
  return [...text.matchAll(/^```(\w+)\n(.*?)^```/gms)]
    .filter(([, name]) => name === language)
    .map(([, , content = ""]) => content);
}

beforeAll(() => {
  mkdirSync(folder);
  const [key, cert] = [join(folder, "tls.key"), join(folder, "tls.crt")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=valinor.example.com", "-keyout", key, "-out", cert];
  execFileSync("openssl", ["req", "-x509", ...kind, ...names], { stdio: "ignore" });
  const make = /^\$ (.*openssl rand.*)$/m.exec(text)?.[1];
  if (make === undefined) throw new Error("the page does not say how to make a key");
  execFileSync("sh", ["-c", make]);
});

describe("docs/security.md", () => {
  test("has examples that the server takes", () => {
    const [oidc, secrets] = blocks("yaml").map((content, index): Config => {
      const file = join(folder, `${index}.yaml`);
      writeFileSync(file, content);
      return loadConfig({ file, env: {}, mode: "serve" });
    });
    expect(oidc).toMatchObject({
      auth: { required: true, issuers: [{ audience: ["valinor"], rolesClaim: "realm_access.roles" }] },
      server: { host: "0.0.0.0", tls: { cert: expect.stringContaining("BEGIN CERTIFICATE") } },
      quotas: { tenantRequestsPerSecond: 200, keyRuns: 20 },
    });
    expect(secrets?.secretKeys.map((key) => key.length)).toEqual([32]);
    expect(secrets?.auth.apiKeys).toBe(true);
  });

  test("makes a key for secrets that its owner alone can read", () => {
    expect(statSync(join(folder, "secrets.key")).mode & 0o777).toBe(0o600);
  });

  test("names files that exist", () => {
    const named = [...page.matchAll(/`((?:src|test|agent|protocol)\/[\w./-]+)`/g)].map(
      ([, path = ""]) => path,
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("names commands and flags that exist", () => {
    const commands = blocks("console").flatMap((content) => content.match(/(?<=^\$ )valinor .*/gm) ?? []);
    expect(commands.length).toBeGreaterThan(5);
    const bin = join(root, "bin/valinor.js");
    for (const [verb, flags] of Map.groupBy(commands, (line) => line.split(" ").slice(1, 3).join(" "))) {
      const help = execFileSync(process.execPath, [bin, ...verb.split(" "), "--help"], { encoding: "utf8" });
      const used = flags.flatMap((line) => line.split(/[|>]/, 1)[0]?.match(/--[\w-]+/g) ?? []);
      expect([verb, used.filter((flag) => !help.includes(`${flag} `))]).toEqual([verb, []]);
    }
  });
});
