import type { ContextEntry, DesiredConfig, LinkedGuest } from "./facts.ts";

/** One link to a guest. Each has an object of its own, so that an answer is known to be of this one. */
export type LinkOf = Pick<LinkedGuest, "bootId" | "reports">;

/** What is asked of the driver, and not answered yet; of which life of the agent, and over which link. */
export interface Asked {
  readonly life: number;
  readonly link: LinkOf;
  readonly what:
    | { readonly kind: "load"; readonly lastTicket: number }
    | { readonly kind: "raise" }
    | { readonly kind: "config"; readonly config: DesiredConfig }
    | { readonly kind: "context"; readonly entry: ContextEntry };
}

/** What was asked, by its kind. */
export type What<K extends Asked["what"]["kind"]> = Extract<Asked["what"], { kind: K }>;
