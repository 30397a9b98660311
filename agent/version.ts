import manifest from "./package.json" with { type: "json" };

/** Version of this program, as heartbeats and `--version` tell it. */
export const VERSION: string = manifest.version;
