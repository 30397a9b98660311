import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** CPU time that the whole machine has used, user, system and interrupts together, microseconds. */
export function machineCpuUs(): number {
  let ms = 0;
  for (const { times } of cpus()) ms += times.user + times.nice + times.sys + times.irq;
  return ms * 1000;
}

/** More of a core than this, used by other processes, disturbs a measurement. */
export const DISTURBANCE = 0.15;

/** Waits until a second has passed in which the machine was quiet, at most until `deadline` (of performance.now). */
export async function untilQuiet(deadline: number): Promise<void> {
  while (performance.now() < deadline) {
    const [cpu, at] = [machineCpuUs(), performance.now()];
    await sleep(1_000);
    if ((machineCpuUs() - cpu) / ((performance.now() - at) * 1000) < DISTURBANCE) return;
  }
}
