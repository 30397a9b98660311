import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildConsole, gzippedBytes } from "../../scripts/web/build.ts";

describe("the console's build", () => {
  it("is under 100 kB, compressed", async () => {
    const { dir } = await buildConsole();
    expect(gzippedBytes(dir)).toBeLessThan(100_000);
  });

  it("has nothing inline that its policy would stop, and names nothing outside", async () => {
    const { dir } = await buildConsole();
    const page = readFileSync(join(dir, "index.html"), "utf8");
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    expect(page).not.toMatch(/https?:\/\//);
  });

  it("names no path of the machine that built it, also if a test built it", async () => {
    const { dir } = await buildConsole({ force: true });
    const files = globSync("**/*.{html,js,css}", { cwd: dir });
    expect(files.length).toBeGreaterThan(2);
    const top = join(import.meta.dirname, "../..");
    expect(files.filter((file) => readFileSync(join(dir, file), "utf8").includes(top))).toEqual([]);
  });

  it("is not made again from the same sources, and that is known quickly", async () => {
    await buildConsole();
    const started = performance.now();
    expect((await buildConsole()).built).toBe(false);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
