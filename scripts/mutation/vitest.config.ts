import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Stryker runs the tests in a copy of the tree whose node_modules is a link: by a package's name they would get the files of the tree
// itself, without a mutant. So names are led to the copy.
const root = join(import.meta.dirname, "../..");
const { workspaces } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  workspaces: string[];
};

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string>>;
}

const alias = workspaces.flatMap((folder) => {
  const { name, exports = {} } = JSON.parse(
    readFileSync(join(root, folder, "package.json"), "utf8"),
  ) as Manifest;
  return Object.entries(exports).map(([entry, file]) => ({
    find: new RegExp(`^${join(name, entry).replace("*", "(.*)")}$`),
    replacement: join(root, folder, file).replace("*", "$1"),
  }));
});

// vitest takes the configuration from the default export alone.
export default defineConfig({
  root,
  resolve: { alias },
  test: {
    include: JSON.parse(process.env["VALINOR_MUTATION_TESTS"] ?? "[]") as string[],
    testTimeout: 30_000,
  },
});
