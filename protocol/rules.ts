// The package's entry for programs that run in browsers too: rules alone, and nothing of Node.
export { longestPauseMs, pauseMs, type Pace } from "./rules/backoff.ts";
export { errorText } from "./rules/error-text.ts";
export { isLoopback } from "./rules/loopback.ts";
export {
  AGENT_ID_PATTERN,
  ID_RULE,
  isAgentId,
  isName,
  isTenant,
  NAME_PATTERN,
  NAME_RULE,
} from "./rules/names.ts";
export { limits } from "./wire/limits.ts";
