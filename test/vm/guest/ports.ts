/** Port of the agent in a test's guest. */
export const AGENT_PORT = 1024;
/** Port on which a test's guest takes commands: see control.ts. */
export const CONTROL_PORT = 1025;
