// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"connectrpc.com/connect"
	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

func describeEvent(event *valinorv1.StreamResponse) map[string]any {
	line := map[string]any{"sequence": event.GetSequence()}
	switch it := event.GetEvent().(type) {
	case *valinorv1.StreamResponse_Opened:
		line["type"] = "opened"
		line["request_id"] = it.Opened.GetRequestId()
		line["boot_id"] = it.Opened.GetBootId()
		line["attached"] = it.Opened.GetAttached()
		line["resumable"] = it.Opened.GetResumable()
	case *valinorv1.StreamResponse_TextDelta:
		line["type"] = "text_delta"
		line["text"] = it.TextDelta.GetText()
	case *valinorv1.StreamResponse_ToolCall:
		line["type"] = "tool_call"
		line["call_id"] = it.ToolCall.GetCallId()
		line["tool_name"] = it.ToolCall.GetToolName()
		line["arguments"] = it.ToolCall.GetArguments()
	case *valinorv1.StreamResponse_Keepalive:
		line["type"] = "keepalive"
	case *valinorv1.StreamResponse_Done:
		line["type"] = "done"
		line["finish_reason"] = it.Done.GetFinishReason()
		line["total_tokens"] = it.Done.GetUsage().GetTotalTokens()
	default:
		line["type"] = "unknown"
	}
	return line
}

// describeError tells the code, and what the details say: ErrorInfo's reason, domain and metadata, RetryInfo's delay.
// Details of other types are left out.
func describeError(err error) map[string]any {
	line := map[string]any{"type": "error", "code": connect.CodeOf(err).String(), "message": err.Error()}
	var failure *connect.Error
	if !errors.As(err, &failure) {
		return line
	}
	line["message"] = failure.Message()
	for _, detail := range failure.Details() {
		value, err := detail.Value()
		if err != nil {
			line["undecodable"] = detail.Type()
			continue
		}
		switch it := value.(type) {
		case *errdetails.ErrorInfo:
			line["reason"] = it.GetReason()
			line["domain"] = it.GetDomain()
			line["metadata"] = it.GetMetadata()
		case *errdetails.RetryInfo:
			line["retry_after_ms"] = it.GetRetryDelay().AsDuration().Milliseconds()
		}
	}
	return line
}
