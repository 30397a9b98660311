import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";

/** The error that a promise rejects with. Throws if it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => error,
  );
}

/** What a client of an RPC learns from its failure. */
export interface RpcFailure {
  readonly code: number;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Record<string, string> | undefined;
  /** The error's text, without the code. */
  readonly text: string;
}

/** The failure of a call. Throws if the call succeeds. */
export async function rpcFailureOf(call: Promise<unknown>): Promise<RpcFailure> {
  const error = ConnectError.from(await failureOf(call));
  const [info] = error.findDetails(ErrorInfoSchema);
  return {
    code: error.code,
    reason: info?.reason,
    domain: info?.domain,
    metadata: info?.metadata,
    text: error.rawMessage,
  };
}
