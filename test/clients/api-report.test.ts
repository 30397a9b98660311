import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { API_REPORT, apiReport, reportOf } from "../../scripts/clients/api-report.ts";

const entry = `export { type Options, run } from "./run.ts";\nexport { Kind } from "@other/package";\n`;
const run = [
  `import type { Detail } from "./detail.ts";`,
  `export interface Options {`,
  `    readonly detail: Detail;`,
  `    inner(): void;`,
  `}`,
  `export declare function run(options?: Options): void;`,
  `export declare function inner(): void;`,
  ``,
].join("\n");
const detail = `interface Deeper {\n    readonly a: 1;\n}\nexport type Detail = Deeper | "none";\nexport {};\n`;
const files = new Map([
  ["index.d.ts", entry],
  ["run.d.ts", run],
  ["detail.d.ts", detail],
]);

describe("the API report of @valinor/client", () => {
  it("says what the sources say: if this fails, look at the difference, and run npm run api:report", () => {
    expect(apiReport()).toBe(readFileSync(API_REPORT, "utf8"));
  });

  it("has every export with its signature, and what the signatures name, and nothing else", () => {
    const [, exported, others, named] = reportOf(files).split(/^== .* ==$/m);
    expect(exported?.trim()).toBe(
      `interface Options {\n    readonly detail: Detail;\n    inner(): void;\n}\n\nfunction run(options?: Options): void;`,
    );
    expect(others?.trim()).toBe("Kind from @other/package");
    expect(named?.trim()).toBe(`interface Deeper {\n    readonly a: 1;\n}\n\ntype Detail = Deeper | "none";`);
  });

  it("changes with a signature, deep in what it names as well", () => {
    const before = reportOf(files);
    const changed = (file: string, from: string, to: string) =>
      reportOf(new Map([...files, [file, (files.get(file) ?? "").replace(from, to)]]));
    expect(changed("run.d.ts", "options?: Options", "options: Options")).not.toBe(before);
    expect(changed("detail.d.ts", "a: 1", "a: 2")).not.toBe(before);
    expect(changed("run.d.ts", "function inner(): void", "function inner(): number")).toBe(before);
  });

  it("can't be made if an export is declared nowhere", () => {
    const missing = new Map([...files, ["run.d.ts", ""]]);
    expect(() => reportOf(missing)).toThrow("Options is exported, and declared nowhere");
  });
});
