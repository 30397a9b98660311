/**
 * Bounds how many streams are open at once. A browser opens no more than six connections to a server over HTTP/1.1, and each stream
 * takes one of them.
 */
export interface Slots {
  /**
   * Takes a slot, and waits until one is free. The function that it gives hands the slot back; it may be called more than once. Rejects
   * with the signal's reason if that aborts, and for no other cause.
   */
  take(signal: AbortSignal): Promise<() => void>;
}
