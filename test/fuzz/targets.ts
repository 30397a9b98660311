import { configFile } from "./targets/config-file.ts";
import { decoder } from "./targets/decoder.ts";
import { framesToGuest } from "./targets/frames-to-guest.ts";
import { framesToHost } from "./targets/frames-to-host.ts";
import { lists } from "./targets/lists.ts";
import { planted } from "./targets/planted.ts";
import { modelAnswers } from "./targets/model-answers.ts";
import { requests } from "./targets/requests.ts";
import type { Target } from "./target.ts";

/** Everything that is attacked. */
export const targets: readonly Target[] = [
  framesToHost,
  framesToGuest,
  decoder,
  modelAnswers,
  requests,
  configFile,
  lists,
];

/** The target of that name, those with a planted mistake included. */
export function targetNamed(name: string): Target | undefined {
  return [...targets, ...planted].find((target) => target.name === name);
}
