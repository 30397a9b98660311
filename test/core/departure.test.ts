import { expect, it } from "vitest";
import { ClientDeparture } from "../../src/core/departure.ts";

it("a client that is there has no reason, and a signal that has not aborted", () => {
  const client = new ClientDeparture();
  expect(client).toMatchObject({ aborted: false, reason: undefined, signal: { aborted: false } });
});

it("a client that goes tells whoever waits last, and aborts the signal with the reason", () => {
  const client = new ClientDeparture();
  const told: string[] = [];
  client.onGone(() => told.push("first"));
  client.onGone(() => told.push("second"));
  const { signal } = client;
  const reason = new Error("left");
  client.gone(reason);
  expect(told).toEqual(["second"]);
  expect(client.aborted).toBe(true);
  expect(signal.reason).toBe(reason);
});

it("one who asks after the client has gone is told at once, and gets a signal that has aborted", () => {
  const client = new ClientDeparture();
  const reason = new Error("left");
  client.gone(reason);
  let told = 0;
  client.onGone(() => told++);
  expect(told).toBe(1);
  expect(client.signal.reason).toBe(reason);
});

it("keeps the first of two reasons", () => {
  const client = new ClientDeparture();
  const late = new Error("late");
  client.gone(late);
  client.gone(new Error("left"));
  expect(client.reason).toBe(late);
  expect(client.signal.reason).toBe(late);
});
