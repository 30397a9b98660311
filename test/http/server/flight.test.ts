import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createFlight } from "../../../src/http/server/flight.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What flight knows of a response: that it closes. */
function fakeResponse(): ServerResponse {
  return new EventEmitter() as ServerResponse;
}

it("a server is idle at once if nothing is in flight, or when the last response closes", async () => {
  const flight = createFlight();
  expect(await flight.idle(1_000, 0)).toBe(true);
  const response = fakeResponse();
  flight.track(response);
  const idle = flight.idle(1_000, 0);
  response.emit("close");
  expect(await idle).toBe(true);
});

it("the wait for the end of requests in flight asks for a quiet time, which every request begins again", async () => {
  const flight = createFlight();
  let over = false;
  void flight.idle(10_000, 250).then(() => (over = true));
  await vi.advanceTimersByTimeAsync(200);
  const response = fakeResponse();
  flight.track(response);
  await vi.advanceTimersByTimeAsync(1_000);
  response.emit("close");
  await vi.advanceTimersByTimeAsync(200);
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(60);
  expect(over).toBe(true);
});

it("the wait for the end of requests in flight ends when its time is over or the signal aborts, and says that it is not idle", async () => {
  const flight = createFlight();
  flight.track(fakeResponse());
  const timed = flight.idle(500, 0);
  const hurry = new AbortController();
  const hurried = flight.idle(60_000, 0, hurry.signal);
  hurry.abort();
  expect(await hurried).toBe(false);
  await vi.advanceTimersByTimeAsync(500);
  expect(await timed).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});
