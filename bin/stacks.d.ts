export function traceSources(dir: string): void;
export function tracerOf(dir: string): (error: unknown, sites: readonly { toString(): string }[]) => string;
