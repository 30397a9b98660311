import type { StreamResponse } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";

/** What a stream said, taken together. */
export interface Collected {
  readonly text: string;
  readonly sequences: readonly number[];
  readonly finishReason: string;
  readonly attached: boolean;
  readonly requestId: string;
}

/** Reads a stream to its end; `onEvent` sees each event as it comes. */
export async function collect(
  stream: AsyncIterable<StreamResponse>,
  onEvent: (event: StreamResponse) => void = () => {},
): Promise<Collected> {
  const texts: string[] = [];
  const sequences: number[] = [];
  let finishReason = "";
  let attached = false;
  let requestId = "";
  for await (const response of stream) {
    onEvent(response);
    if (response.sequence > 0) sequences.push(response.sequence);
    const { event } = response;
    if (event.case === "opened") ({ attached, requestId } = event.value);
    if (event.case === "textDelta") texts.push(event.value.text);
    if (event.case === "done") finishReason = event.value.finishReason;
  }
  return { text: texts.join(""), sequences, finishReason, attached, requestId };
}

/** 1, 2, ... up to n. */
export function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1);
}
