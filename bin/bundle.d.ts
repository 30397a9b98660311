export const STAMP: string;
export function markOf(file: string): string;
export function isFresh(root: string, dir: string): boolean;
export function findBundled(root: string, name: string, source: string): string | undefined;
