import { sha256 } from "@valinor/protocol";

/**
 * The `user` that stands for a conversation at OpenClaw, which makes a session key of it in lower case: a digest, so
 * that ids which differ in case alone, or in anything else, never share a session.
 */
export function sessionUser(conversationId: string): string {
  return `valinor-${sha256(conversationId)}`;
}
