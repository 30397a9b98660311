import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { beforeAll, describe, expect, it } from "vitest";
import type * as Library from "../../clients/ts/src/index.ts";
import { upTo } from "../e2e/collect.ts";
import { type Stack, startStack } from "../e2e/stack.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { type CuttingProxy, startCuttingProxy } from "./cutting-proxy.ts";

/** The page has the library as a global, where the tests' functions find it. */
interface Loaded {
  readonly valinor: typeof Library;
}
const PAGE = `<!doctype html><title>page</title>
  <script type="module">import * as valinor from "/client.js"; globalThis.valinor = valinor;</script>`;

const root = join(import.meta.dirname, "../..");
let stack: Stack;
let network: CuttingProxy;
let page: Page;

/** The library as one module, as a bundler makes it for a page. */
async function bundle(): Promise<string> {
  const output = await build({
    root,
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      lib: { entry: join(root, "clients/ts/src/index.ts"), formats: ["es"] },
    },
  });
  const [first] = [output].flat();
  if (first === undefined || !("output" in first)) throw new Error("vite built nothing");
  return first.output[0].code;
}

/** Serves a page and its module, and hands everything else on to the stack, so that all has one origin. */
async function startSite(module: string): Promise<string> {
  const site = createServer((req, res) => {
    if (req.url === "/") answer(res, "text/html", PAGE);
    else if (req.url === "/client.js") answer(res, "text/javascript", module);
    else handOn(req, res);
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  afterFile(() => {
    site.closeAllConnections();
    site.close();
  });
  const address = site.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

function answer(res: ServerResponse, type: string, body: string): void {
  res.writeHead(200, { "content-type": type }).end(body);
}

function handOn(req: IncomingMessage, res: ServerResponse): void {
  const { method, headers, url } = req;
  const onward = request(new URL(url ?? "/", stack.url), { method, headers }, (response) => {
    res.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(res);
    response.on("error", () => res.destroy());
  });
  onward.on("error", () => res.destroy());
  res.on("close", () => onward.destroy());
  req.pipe(onward);
}

beforeAll(async () => {
  const [module, started] = await Promise.all([bundle(), startStack()]);
  stack = started;
  network = await startCuttingProxy(await startSite(module));
  const browser: Browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  afterFile(() => browser.close());
  page = await browser.newPage();
  await page.goto(network.url);
});

describe("the client in a page", () => {
  it("streams through a network that breaks, and gives each event once", async () => {
    const reading = page.evaluate(async () => {
      const { createValinorClient } = (globalThis as unknown as Loaded).valinor;
      const client = createValinorClient({ baseUrl: location.origin });
      const seen = { sequences: [] as number[], text: "", retries: 0 };
      const onRetry = (): void => void seen.retries++;
      for await (const event of client.stream("demo", "!pace 20 !words 60", { onRetry })) {
        if (event.type !== "opened") seen.sequences.push(event.sequence);
        document.title = `${seen.sequences.length} events`;
        if (event.type === "text") seen.text += event.text;
      }
      return seen;
    });
    await expect.poll(() => page.title()).toMatch(/^\d+ events$/);
    network.cutAll();
    const seen = await reading;
    expect(seen.sequences).toEqual(upTo(61));
    expect(seen.text.split(" ")).toHaveLength(60);
    expect(seen.retries).toBeGreaterThan(0);
    expect(stack.model.calls).toBe(1);
  });

  it("cancels the run when the loop is left, and has typed errors", async () => {
    const aborted = stack.model.aborted;
    const reason = await page.evaluate(async () => {
      const { createValinorClient, isReason } = (globalThis as unknown as Loaded).valinor;
      const client = createValinorClient({ baseUrl: location.origin });
      for await (const event of client.stream("demo", "!pace 20 !words 500"))
        if (event.type === "text") break;
      return client.send("nobody", "hello").then(
        () => "",
        (error: unknown) => isReason(error, "AGENT_NOT_FOUND") && error.reason,
      );
    });
    expect(reason).toBe("AGENT_NOT_FOUND");
    await expect.poll(() => stack.model.aborted).toBe(aborted + 1);
  });
});
