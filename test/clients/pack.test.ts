import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { buildClient } from "../../clients/ts/build.ts";
import { type Stack, startStack } from "../e2e/stack.ts";
import { tempDir } from "../helpers/cleanup.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const source = join(root, "clients/ts");
const readme = readFileSync(join(source, "README.md"), "utf8");
/** What stands in the README under each heading, as a program. */
const examples = [...readme.matchAll(/^## (.+)$|^```ts\n([^]*?)^```$/gm)].flatMap(
  ([, heading, code], at, all) =>
    code === undefined ? [] : [[all[at - 1]?.[1] ?? heading ?? "", code] as const],
);

let stack: Stack;
let packed: string[];
const built = tempDir();
/** A project of a stranger, with the package installed. */
const project = tempDir();

async function npm(cwd: string, ...args: string[]): Promise<string> {
  // The Node of the test comes first, whichever the machine has.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
  const { stdout } = await run("npm", args, { cwd, env, maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

function writeProgram(name: string, code: string): string {
  const path = join(project, name);
  writeFileSync(path, code.replaceAll("http://127.0.0.1:8080", stack.url));
  return path;
}

beforeAll(async () => {
  stack = await startStack();
  buildClient(built);
  const [pack] = JSON.parse(
    await npm(built, "pack", "--json", "--silent", "--pack-destination", project),
  ) as [{ filename: string; files: { path: string }[] }];
  packed = pack.files.map(({ path }) => path);
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "stranger", private: true, type: "module" }),
  );
  const { version } = JSON.parse(
    readFileSync(join(root, "node_modules/@connectrpc/connect-node/package.json"), "utf8"),
  ) as { version: string };
  await npm(
    project,
    "install",
    "--no-audit",
    "--no-fund",
    `./${pack.filename}`,
    `@connectrpc/connect-node@${version}`,
  );
});

describe("the package", () => {
  it("holds the built library, its licence and its page, and nothing else", () => {
    const own = packed.filter((path) => !/^(clients|gen)\//.test(path));
    expect(own.toSorted()).toEqual(["LICENSE", "README.md", "package.json"]);
    const compiled = packed.filter((path) => !own.includes(path));
    expect(compiled).toContain("clients/ts/src/index.js");
    expect(compiled).toContain("gen/ts/valinor/v1/agent_proxy_pb.d.ts");
    expect(
      compiled.filter(
        (path) =>
          !/^(clients\/ts\/src\/\w+|gen\/ts\/(reasons|(valinor\/v1|google\/rpc)\/\w+))\.(js|d\.ts)$/.test(
            path,
          ),
      ),
    ).toEqual([]);
  });

  it("needs no more than its dependencies name", async () => {
    const listed = JSON.parse(await npm(project, "ls", "--json", "--all")) as { problems?: string[] };
    expect(listed.problems ?? []).toEqual([]);
  });

  it("has the licence of the project", () => {
    expect(readFileSync(join(source, "LICENSE"), "utf8")).toBe(readFileSync(join(root, "LICENSE"), "utf8"));
  });

  it("has types that a strict program compiles against, libraries checked", async () => {
    // connect-node's own types need those of Node, which a page does not have.
    const portable = examples.filter(([, code]) => !code.includes("connect-node"));
    const files = portable.map(([, code], index) => writeProgram(`typed-${index}.ts`, code));
    const misuse = `import { createValinorClient } from "@valinor/client";\n// @ts-expect-error: a text is needed\nvoid createValinorClient({ baseUrl: "" }).send("demo");\n`;
    files.push(writeProgram("misuse.ts", misuse));
    files.push(
      writeProgram(
        "raw.ts",
        `import { AgentProxy } from "@valinor/client/gen/agent_proxy";\nconsole.log(AgentProxy.typeName);\n`,
      ),
    );
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      module: "nodenext",
      target: "es2024",
      lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable", "esnext.disposable"],
      types: [],
      noEmit: true,
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", project]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe("");
  });
});

describe("the README", () => {
  it("has an example for each thing to do", () => {
    expect(examples.map(([heading]) => heading).length).toBeGreaterThan(6);
  });

  it.each(examples)("is true: %s", async (_heading, code) => {
    const program = writeProgram(`example-${examples.findIndex((example) => example[1] === code)}.ts`, code);
    const { stdout } = await run(process.execPath, [program], { cwd: project, timeout: 30_000 });
    expect(stdout).not.toMatch(/error/i);
  });

  it("streams an answer as it says", async () => {
    const [, code = ""] = examples[0] ?? [];
    const { stdout } = await run(process.execPath, [writeProgram("first.ts", code)], { cwd: project });
    expect(stdout).toMatch(/finished: stop\n$/);
  });
});
