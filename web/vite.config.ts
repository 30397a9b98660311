import { join } from "node:path";
import { defineConfig } from "vite";

// vite takes the configuration from the default export alone.
// oxlint-disable-next-line import/no-default-export
export default defineConfig({
  root: import.meta.dirname,
  base: "/console/",
  logLevel: "warn",
  // Not development, also where a test builds it: that writes the builder's paths into the output.
  oxc: { jsx: { runtime: "automatic", importSource: "preact", development: false } },
  build: {
    outDir: join(import.meta.dirname, "dist"),
    target: "es2023",
    // The content security policy lets nothing inline run, and one chunk needs no preloading.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
