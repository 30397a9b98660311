/** Says whether a version of Node is older than another. */
export function older(version: string, than: string): boolean;
