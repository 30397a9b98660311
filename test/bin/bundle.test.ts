import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { findBundled, markOf, STAMP } from "../../bin/bundle.js";
import { tempDir } from "../helpers/cleanup.ts";

/** A tree with a source, and a bundle that was made of it. */
function treeIn(root: string): { root: string; source: string; bundled: string } {
  const source = join(root, "bin/main.ts");
  const bundled = join(root, "dist/server/valinor.js");
  for (const file of [source, bundled]) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "1;");
  }
  const stamp = { digest: "", files: { "bin/main.ts": markOf(source), "gone.ts": "" } };
  writeFileSync(join(root, "dist/server", STAMP), JSON.stringify(stamp));
  return { root, source, bundled };
}

test("a bundle runs if it was made of the sources that are there", () => {
  const { root, source, bundled } = treeIn(tempDir());
  expect(findBundled(root, "valinor.js", source)).toBe(bundled);
});

test("the sources run if one of them has another size or time than when the bundle was made, or was added", () => {
  const { root, source, bundled } = treeIn(tempDir());
  utimesSync(source, 1, 1);
  expect(findBundled(root, "valinor.js", source)).toBeUndefined();
  const other = treeIn(tempDir());
  writeFileSync(join(other.root, "gone.ts"), "");
  expect(findBundled(other.root, "valinor.js", other.source)).toBeUndefined();
  expect(bundled).not.toBe(other.bundled);
});

test("the sources run if there is no bundle, or nothing says what it was made of", () => {
  const { root, source } = treeIn(tempDir());
  writeFileSync(join(root, "dist/server", STAMP), "{");
  expect(findBundled(root, "valinor.js", source)).toBeUndefined();
  expect(findBundled(root, "none.js", source)).toBeUndefined();
});

test("a bundle that is installed runs, whatever lies beside it", () => {
  const { root, source, bundled } = treeIn(join(tempDir(), "node_modules/valinor"));
  utimesSync(source, 1, 1);
  expect(findBundled(root, "valinor.js", source)).toBe(bundled);
});
