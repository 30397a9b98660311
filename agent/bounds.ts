import { guestLimits, limits } from "@valinor/protocol";

/** Every bound of the agent: those of the link, and a guest's own. docs/agent.md section "Bounds" lists them. */
export const defaultBounds = {
  ...limits,
  ...guestLimits,
} as const;

/** The bounds that an agent keeps. */
export type Bounds = { readonly [K in keyof typeof defaultBounds]: number };

/** The default bounds with some replaced. */
export function boundsWith(replaced: Partial<Bounds> = {}): Bounds {
  return { ...defaultBounds, ...replaced };
}
