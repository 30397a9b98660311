export { Failure } from "./link/guest/failure.ts";
export { GuestLink } from "./link/guest/guest-link.ts";
export type { Message, OnDisconnect } from "./link/guest/message.ts";
export type {
  ClosedLink,
  ConfigWaiter,
  Leaving,
  LinkOwner,
  LinkPort,
  OpenedRun,
  OwnedLink,
  ReadableRun,
  RunReader,
} from "./link/guest/ports.ts";
export { isToken } from "./link/guest/token.ts";
export type { ClientTool } from "./link/guest/turns.ts";
export { CreditPool } from "./link/host/credit-pool.ts";
export type { Batch, ExchangeKind, HostExchange } from "./link/host/exchange.ts";
export { UnaskedTotal } from "./link/host/flood.ts";
export { type Guest, guests } from "./link/host/guest.ts";
export { lateHello } from "./link/host/hello.ts";
export { HostLink } from "./link/host/host-link.ts";
export type {
  ExchangeReader,
  HostLinkOptions,
  HostLinkOutput,
  HostLinkShared,
  Ticket,
} from "./link/host/output.ts";
export { Redial } from "./link/host/redial.ts";
export { longestPauseMs, pauseMs, type Pace } from "./rules/backoff.ts";
export { errorText } from "./rules/error-text.ts";
export { isLoopback } from "./rules/loopback.ts";
export {
  AGENT_ID_PATTERN,
  ID_RULE,
  isAgentId,
  isName,
  isTenant,
  isToolName,
  NAME_PATTERN,
  NAME_RULE,
} from "./rules/names.ts";
export { formatAddress, parseAddress, type Address } from "./transport/address.ts";
export { dial } from "./transport/dial.ts";
export { listen, type Listener } from "./transport/listen.ts";
export { VSOCK_ANY } from "./transport/vsock.ts";
export { createChannel, type Channel, type ChannelEvents } from "./wire/channel.ts";
export { monotonicNow } from "./wire/clock.ts";
export type { FrameRules } from "./wire/decoder.ts";
export { canonicalJson, configDigest, contextDigest, sha256, type PolicyForDigest } from "./wire/digest.ts";
export type { Envelope } from "./wire/envelope.ts";
export { LinkError, type LinkErrorCode } from "./wire/errors.ts";
export { encodeFrame, encodeFrameJson, type Frame, type UnknownObject } from "./wire/frame.ts";
export { guestLimits, limits } from "./wire/limits.ts";
export { type LimitedLogger, limitLogger, type LineLogger, LogLimit } from "./wire/log-limit.ts";
export { firstMark, nextMark } from "./wire/marks.ts";
export { isTextChunk, readPayload, writePayload } from "./wire/payload.ts";
export { prescan, prescanFrom } from "./wire/prescan.ts";
export type { Decoded, Turns, Waiting } from "./wire/reader.ts";
export { endsInHighSurrogate, splitText } from "./wire/split-text.ts";
export { isObject, isUint32 } from "./wire/values.ts";
export {
  NO_TOOLS_ALLOWLIST,
  PROTOCOL,
  errorCodes,
  frameTypes,
  typeName,
  type ErrorCode,
  type FrameType,
} from "./wire/vocabulary.ts";
