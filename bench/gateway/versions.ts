/** Versions of what Valinor is compared with: the newest when the benchmark was written. */
export const LITELLM = "1.108.7";
export const PORTKEY = "1.15.2";

/**
 * Portkey's HTTP server, older than what npm takes by itself: with a newer one it answers each stream with status 500, since it appends
 * to headers that are immutable there.
 */
export const PORTKEY_HONO_SERVER = "1.13.8";

/** Folder that they are installed into. */
export const DEFAULT_DIR = "/tmp/valinor-gateways";
