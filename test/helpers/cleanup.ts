import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const pending: (() => void | Promise<void>)[] = [];

afterAll(async () => {
  for (const undo of pending.splice(0).toReversed()) await undo();
});

/** Runs `undo` after the last test of the file, the latest first. */
export function afterFile(undo: () => void | Promise<void>): void {
  pending.push(undo);
}

/** Makes a directory that is removed after the last test of the file. Its path is short enough for Unix sockets. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "valinor-"));
  afterFile(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
