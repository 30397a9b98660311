// OpenClaw wraps what a user says, and adds a message of its own that has the role of a user (seen with 2026.9.6). The
// directives of a message must be found all the same, and nothing of the wrapping taken for the user's words.

const INTERNAL = /^\s*<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>/;
const TIME = /^\[[A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2} [^\]]{1,40}\] /;
const RUNTIME = /\n\nRuntime: agent=\S+ \| session=.*$/s;

/** True for a message that OpenClaw wrote itself in the user's name. */
export function isOpenClawsOwn(text: string): boolean {
  return INTERNAL.test(text);
}

/** What the user said, without the time before it and the runtime line after it. Other text is left as it is. */
export function unwrapOpenClaw(text: string): string {
  return text.replace(TIME, "").replace(RUNTIME, "");
}
