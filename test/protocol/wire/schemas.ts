import type { DescMessage } from "@bufbuild/protobuf";
import * as link from "../../../gen/ts/valinor/link/v1/link_pb.ts";
import type { FrameType } from "../../../protocol/wire/vocabulary.ts";

/** The message of link/v1 that is the payload of each frame type. */
export const schemas: Record<FrameType, DescMessage> = {
  heartbeat: link.HeartbeatSchema,
  hello: link.HelloSchema,
  message: link.MessageSchema,
  opened: link.OpenedSchema,
  chunk: link.ChunkSchema,
  progress: link.ProgressSchema,
  tool_call: link.ToolCallSchema,
  tool_blocked: link.ToolBlockedSchema,
  error: link.ErrorSchema,
  credit: link.CreditSchema,
  detach: link.DetachSchema,
  cancel: link.CancelSchema,
  cancel_ack: link.CancelAckSchema,
  config_update: link.ConfigUpdateSchema,
  context_update: link.ContextUpdateSchema,
  config_ack: link.ConfigAckSchema,
  ping: link.PingSchema,
  pong: link.PongSchema,
};
