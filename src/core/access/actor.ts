import type { Actor } from "../../store/actor.ts";
import type { Caller } from "../types.ts";

/** Who calls, as revisions and the audit log name it. */
export function actorOf(caller: Caller): Actor {
  return { subject: caller.subject, credential: caller.credential };
}
