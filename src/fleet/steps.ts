/** What one step of bringing a guest to what it is to have came to. */
export type StepResult =
  /** Everything is as it is to be. */
  | { readonly kind: "done" }
  /** The guest turned the configuration down: nothing more until it changes, or the guest starts anew. */
  | { readonly kind: "refused"; readonly reason: string }
  /** It is not as it is to be, and trying again is no use until something changes. */
  | { readonly kind: "parked"; readonly reason: string }
  /** It is to be tried again after a while, at least `waitMs` milliseconds. */
  | { readonly kind: "again"; readonly reason: string; readonly waitMs?: number };

/** The step that found nothing to do, or did it. */
export const DONE: StepResult = { kind: "done" };
