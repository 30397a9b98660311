import { parentPort } from "node:worker_threads";
import { SimulatedGuest } from "./guest.ts";
import type { Answer, Request } from "./messages.ts";
import { createRandom } from "../helpers/random.ts";

/** The guests live in a thread of their own: what they do waits for nothing that the control plane does. */
let guests: SimulatedGuest[] = [];

/** Each guest has its turn once in this time, milliseconds. */
const ROUND_MS = 2_000;
const TURNS = 40;

async function handle(request: Request): Promise<Answer> {
  switch (request.kind) {
    case "start": {
      guests = request.plans.map((plan, i) => new SimulatedGuest(plan, createRandom(request.seed + i)));
      await Promise.all(guests.map((guest) => guest.listen()));
      let turn = 0;
      setInterval(() => {
        for (let i = turn; i < guests.length; i += TURNS) guests[i]?.tick();
        turn = (turn + 1) % TURNS;
      }, ROUND_MS / TURNS);
      return { kind: "done" };
    }
    case "end_faults":
      for (const guest of guests) guest.endFaults();
      return { kind: "done" };
    case "in_force":
      return { kind: "in_force", guests: guests.map((guest) => guest.inForce) };
    case "report":
      return { kind: "report", reports: guests.map((guest) => guest.report()) };
  }
}

parentPort?.on("message", (request: Request) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  void handle(request).then((answer) => parentPort?.postMessage(answer));
});
