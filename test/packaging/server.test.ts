import { cpSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload, type SourceMapping } from "node:module";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { isFresh } from "../../bin/bundle.js";
import { tracerOf } from "../../bin/stacks.js";
import { buildServer } from "../../scripts/server/build.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { type Program, spawnProgram } from "../helpers/process.ts";

const top = join(import.meta.dirname, "../..");
const dist = join(top, "dist/server");

/** As it is installed: in node_modules, where Node runs no TypeScript, with no sources and no packages beside it. */
let installed: string;

beforeAll(() => {
  installed = join(tempDir(), "node_modules/valinor");
  mkdirSync(installed, { recursive: true });
  for (const name of ["bin", "dist/server", "web/dist", "package.json"])
    cpSync(join(top, name), join(installed, name), { recursive: true });
});

const program = (): string => join(installed, "bin/valinor.js");

function valinor(...args: string[]): Program {
  return spawnProgram(process.execPath, [program(), ...args]);
}

async function serve(): Promise<{ server: Program; url: string; store: string }> {
  const store = join(tempDir(), "valinor.db");
  const env = { VALINOR_STORE_URL: `sqlite:${store}` };
  const server = spawnProgram(process.execPath, [program(), "serve", "--port", "0"], { env });
  const [, url = ""] = await server.waitFor(/"url":"([^"]+)"/);
  return { server, url, store };
}

describe("the bundle of the control plane, installed without its sources", () => {
  it("serves calls, the console and the commands, and stops when it is told to", async () => {
    const { server, url } = await serve();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const created = await fetch(`${url}/valinor.v1.AgentRegistry/CreateAgent`, {
      method: "POST",
      headers: { "content-type": "application/json", "connect-protocol-version": "1" },
      body: JSON.stringify({ agent: { id: "one" } }),
    });
    expect(await created.json()).toMatchObject({ agent: { id: "one" } });
    expect(await (await fetch(`${url}/console/`)).text()).toContain("<html");
    const ls = valinor("agents", "ls", "--server", url);
    expect(await ls.exited).toEqual({ code: 0, signal: null });
    expect(ls.stdout()).toContain("one");
    server.kill("SIGTERM");
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(server.stderr()).toBe("");
  });

  it("runs everything on one machine: model, agent and control plane", async () => {
    const data = tempDir();
    const dev = valinor("dev", "--port", "0", "--data", data);
    const [, url = ""] = await dev.waitFor(/(http:\/\/127\.0\.0\.1:\d+)\/?/);
    const sent = valinor("send", "demo", "!echo bundled", "--server", url);
    expect(await sent.exited).toEqual({ code: 0, signal: null });
    expect(sent.stdout()).toContain("bundled");
    dev.kill("SIGTERM");
    expect(await dev.exited).toEqual({ code: 0, signal: null });
  });

  it("wipes what was deleted from the disk, in a thread of its own", async () => {
    const { server, url, store } = await serve();
    const create = valinor("agents", "create", "gone", "--server", url);
    expect(await create.exited).toEqual({ code: 0, signal: null });
    const remove = valinor("agents", "rm", "gone", "--yes", "--server", url);
    expect(await remove.exited).toEqual({ code: 0, signal: null });
    server.kill("SIGTERM");
    await server.exited;
    expect(server.stdout()).not.toContain("the store fails");
    const database = new DatabaseSync(store, { readOnly: true });
    // Deletions that are still to be wiped.
    expect(database.prepare("pragma user_version").get()).toEqual({ user_version: 0 });
    database.close();
  });

  it("loads PostgreSQL's driver for a store in PostgreSQL alone", async () => {
    const names = async (url: string) => {
      const hook = `import { registerHooks } from "node:module";
        registerHooks({ load(url, context, next) { process._rawDebug(url); return next(url, context); } });`;
      const args = ["--import", `data:text/javascript,${encodeURIComponent(hook)}`];
      const migrate = spawnProgram(process.execPath, [...args, program(), "db", "migrate"], {
        env: { VALINOR_STORE_URL: url },
      });
      await migrate.exited;
      return migrate.stderr();
    };
    expect(await names("sqlite::memory:")).not.toContain("/dist/server/postgres-");
    expect(await names("postgres://u:p@127.0.0.1:1/none")).toContain("/dist/server/postgres-");
  });
});

describe("stacks of errors in the bundle", () => {
  it("name the file and line of the source", async () => {
    const source = readFileSync(join(top, "cli/server/serve.ts"), "utf8").split("\n");
    const line = source.findIndex((text) => text.includes("env: { ...env }")) + 1;
    const script = join(tempDir(), "fail.mjs");
    writeFileSync(
      script,
      `import { traceSources } from ${JSON.stringify(pathToFileURL(join(installed, "bin/stacks.js")).href)};
       import { main } from ${JSON.stringify(pathToFileURL(join(installed, "dist/server/valinor.js")).href)};
       traceSources(${JSON.stringify(join(installed, "dist/server"))});
       const fail = () => { throw new TypeError("no environment"); };
       await main(["serve"], new Proxy({}, { ownKeys: fail }));`,
    );
    const failed = spawnProgram(process.execPath, [script]);
    expect(await failed.exited).toEqual({ code: 1, signal: null });
    expect(failed.stderr()).toContain("TypeError: no environment\n    at ");
    expect(failed.stderr()).toMatch(
      new RegExp(`^    at (?:async )?serve \\(cli/server/serve\\.ts:${line}:\\d+\\)$`, "m"),
    );
  });

  it.each(["valinor.js", "sqlite-wipe-worker.js"])(
    "name the places that Node's own reader of source maps finds: %s",
    (name) => {
      const stackOf = tracerOf(dist);
      const file = join(dist, name);
      const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")) as SourceMapPayload);
      let compared = 0;
      for (const [index, text] of readFileSync(file, "utf8").split("\n").entries())
        for (let column = 0; column < text.length; column += 1 + Math.floor(text.length / 200)) {
          const place = `${pathToFileURL(file).href}:${index + 1}:${column + 1}`;
          const stack = stackOf(new Error("x"), [{ toString: () => `f (${place})` }]);
          // Node takes the place before for one that is of no source.
          if (stack.includes(place)) continue;
          const found = map.findEntry(index, column) as SourceMapping;
          const source = found.originalSource.replace(/^(\.\.\/)+/, "");
          const wanted = `${source}:${found.originalLine + 1}:${found.originalColumn + 1}`;
          expect(stack).toBe(`Error: x\n    at f (${wanted})`);
          compared++;
        }
      expect(compared).toBeGreaterThan(100);
    },
  );
});

describe("a second build", () => {
  it("makes nothing if no source has changed, whatever their times are", async () => {
    expect(isFresh(top, dist)).toBe(true);
    const source = join(top, "bin/main.ts");
    utimesSync(source, new Date(), new Date());
    expect(isFresh(top, dist)).toBe(false);
    expect(await buildServer()).toMatchObject({ built: false });
    expect(isFresh(top, dist)).toBe(true);
  });
});
