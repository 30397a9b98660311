/** One answer of a model's server, and what a client must see of it. */
export interface Row {
  /** A sentence that begins with the answer. */
  readonly name: string;
  /** Default: 200. */
  readonly status?: number;
  /** Default: the type of a stream or of JSON, whichever the body begins as. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** True if the connection is reset after the body. */
  readonly broken?: true;
  /** Tools that the policy lists; absent: every tool is allowed. */
  readonly tools?: readonly string[];
  readonly sees: Sees;
}

/** What a client sees; a run ends with exactly one of `finish`, `code` and `blocked`. */
export interface Sees {
  /** Default: none. */
  readonly text?: string;
  readonly calls?: readonly Call[];
  readonly finish?: string;
  /** Tokens of the prompt, of the answer, and of both; absent: none are told. */
  readonly usage?: readonly [number, number, number];
  /** Code of the error, and its words. */
  readonly code?: string;
  readonly says?: string;
  /** Tool that was not allowed. */
  readonly blocked?: string;
}

/** A tool call; without an id it has one that was made up. */
export interface Call {
  readonly id?: string;
  readonly name: string;
  readonly args: string;
}

/** A stream of these objects and texts, with its end mark. */
export function stream(...events: readonly unknown[]): string {
  return cut(...events, "[DONE]");
}

/** A stream without the end mark. */
export function cut(...events: readonly unknown[]): string {
  return events
    .map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`)
    .join("");
}

/** Makes the objects of one server's streams: `head` stands in each of them. */
export function chunks(head: object) {
  const chunk = (delta: object | null, finish: unknown = null, more: object = {}) => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: finish, ...more }],
  });
  return {
    chunk,
    text: (content: string) => chunk({ content }),
    calls: (...calls: readonly object[]) => chunk({ tool_calls: calls }),
    end: (finish: string) => chunk({}, finish),
    usage: (prompt: unknown, answer: unknown, total: unknown) => ({
      ...head,
      choices: [],
      usage: { prompt_tokens: prompt, completion_tokens: answer, total_tokens: total },
    }),
  };
}

/** An answer in one piece. */
export function whole(head: object, message: object, finish?: unknown, more: object = {}): string {
  const choice = {
    index: 0,
    message: { role: "assistant", ...message },
    ...(finish !== undefined && { finish_reason: finish }),
  };
  return JSON.stringify({ object: "chat.completion", ...head, choices: [choice], ...more });
}

/** A call, or a piece of one. */
export function call(
  index: number | undefined,
  id: string | undefined,
  name: string | undefined,
  args: unknown,
): object {
  return {
    ...(index !== undefined && { index }),
    ...(id !== undefined && { id, type: "function" }),
    function: { ...(name !== undefined && { name }), ...(args !== undefined && { arguments: args }) },
  };
}
