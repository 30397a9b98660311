import { userInfo } from "node:os";
import type { Actor } from "@valinor/server";

/** Who runs a command, for the audit log: the system's name of the user. */
export function cliActor(): Actor {
  return { subject: userName(), credential: "cli" };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`; // a container may run as a user that has no name
  }
}
