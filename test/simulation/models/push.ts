import type { Frame, LinkError } from "@valinor/protocol";
import type {
  ConfigAnswer,
  ContextAnswer,
  ContextPush,
  Verdict,
} from "../../../src/fleet/convergence/facts.ts";
import type { ConfigRecord } from "../../../src/store/store.ts";

/** Payload of the frame that pushes a configuration. */
export function configPayload({ config, policy, revision, sha256 }: ConfigRecord): object {
  return { config, tool_allowlist: [], tool_policy: policy, revision, sha256 };
}

/** Payload of the frame that pushes a context entry. */
export function contextPayload({ entry, keys }: ContextPush): object {
  return { ...entry.payload, key: entry.key, ...(keys !== undefined && { replace: true, keys }) };
}

/** What a guest's answer to a push of this configuration says. */
export function configAnswer({ sha256 }: ConfigRecord, answer: Frame | LinkError): ConfigAnswer {
  const { payload, verdict } = read(answer);
  const { revision, sha256: digest } = payload;
  const inForce =
    typeof revision === "number" && typeof digest === "string" ? { revision, sha256: digest } : undefined;
  return { ...verdict, inForce, sha256 };
}

/** What a guest's answer to a push of a context entry says. */
export function contextAnswer(answer: Frame | LinkError): ContextAnswer {
  const { payload, verdict } = read(answer);
  const digest = payload["context_sha256"];
  return { ...verdict, contextSha256: typeof digest === "string" ? digest : undefined };
}

function read(answer: Frame | LinkError): { payload: Frame["payload"]; verdict: Verdict } {
  if (answer instanceof Error)
    return { payload: {}, verdict: { applied: false, refused: false, reason: answer.message } };
  const { type, payload } = answer;
  if (type !== "config_ack")
    return { payload: {}, verdict: { applied: false, refused: true, reason: "it answered with an error" } };
  const applied = payload["applied"] === true;
  const refused = !applied && payload["retry"] !== true;
  return {
    payload,
    verdict: { applied, refused, reason: typeof payload["reason"] === "string" ? payload["reason"] : "" },
  };
}
