// What the packages of this repository take beside the entry; it is not published.
export { typedErrors } from "./calls.ts";
export { createStream, type StreamPlan } from "./stream.ts";
export { watchAgents } from "./watch.ts";
