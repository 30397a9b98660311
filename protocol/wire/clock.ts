/**
 * Milliseconds of a clock that only ever goes forward, from an origin of its own: for every age, deadline and duration. Wall time
 * (`Date.now()`) steps when it is set, and is only for what people or other programs are to read as a date.
 */
export const monotonicNow = (): number => performance.now();
