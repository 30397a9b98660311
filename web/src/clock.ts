import { signal } from "@preact/signals";

/** Milliseconds of the page's own clock, which is never set, as `performance.now()` says; a new value every second while it is looked at. */
export const now = signal(performance.now());

setInterval(() => {
  if (!document.hidden) now.value = performance.now();
}, 1000);

/** A span in words: `3 s`, `4 min`, `2 h`, `5 d`. */
export function span(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 100) return `${Math.floor(s)} s`;
  if (s < 100 * 60) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** A moment in the reader's own way of writing. */
export function moment(ms: number): string {
  return new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
