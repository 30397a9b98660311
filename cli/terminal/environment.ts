/** Environment of the process, handed through to src/config.ts, which alone looks into it. */
export type Environment = Readonly<Record<string, string | undefined>>;
