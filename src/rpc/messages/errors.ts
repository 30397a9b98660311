import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@valinor/proto/google/rpc/error_details";
import { ERROR_DOMAIN } from "@valinor/proto/reasons";
import { ValinorError } from "../../core/errors.ts";
import { translate } from "../../core/guest-errors.ts";

/**
 * Any error as Connect sends it: the table's code, an ErrorInfo with reason and metadata, and a RetryInfo if a retry can
 * help. The signal is the call's: a deadline that passed is deadline_exceeded, whatever it interrupted.
 */
export function toConnectError(thrown: unknown, signal: Pick<AbortSignal, "reason">): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  const error = translate(thrown);
  if (error.reason === "CLIENT_GONE" && isDeadline(signal)) {
    return buildConnectError(
      new ValinorError("AGENT_TIMEOUT", "the call's deadline passed", {
        metadata: error.metadata,
        cause: error,
      }),
    );
  }
  return buildConnectError(error);
}

/** An error of the domain as Connect sends it, as it is. */
export function buildConnectError(error: ValinorError): ConnectError {
  const { reason, message, metadata, code, retryMs } = error;
  const info = create(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata: { ...metadata } });
  const connectError = new ConnectError(
    message,
    codeFromString(code) ?? Code.Internal,
    undefined,
    [{ desc: ErrorInfoSchema, value: info }],
    error,
  );
  if (retryMs !== undefined) {
    const seconds = BigInt(Math.floor(retryMs / 1000));
    const retryDelay = create(DurationSchema, { seconds, nanos: (retryMs % 1000) * 1_000_000 });
    connectError.details.push({ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) });
  }
  return connectError;
}

function isDeadline(signal: Pick<AbortSignal, "reason">): boolean {
  return signal.reason instanceof ConnectError && signal.reason.code === Code.DeadlineExceeded;
}
