// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// mostShown is how much of a text is printed, in bytes.
const mostShown = 256 * 1024

// describe adds to a line how a call ended: code, text and details of the error, headers and trailers, and how long it took. Of the text
// that came it tells the size in bytes and the hash, and shows no more than its beginning.
func describe(line map[string]any, err error, header, trailer metadata.MD, began time.Time) map[string]any {
	line["ms"] = time.Since(began).Milliseconds()
	line["header"], line["trailer"] = keysOf(header), keysOf(trailer)
	text := line["text"].(string)
	sum := sha256.Sum256([]byte(text))
	line["size"], line["sha256"] = len(text), hex.EncodeToString(sum[:])
	if len(text) > mostShown {
		line["text"] = text[:mostShown]
	}
	failure := status.Convert(err)
	line["code"] = code.Code_name[int32(failure.Code())]
	line["error"] = failure.Message()
	for _, detail := range failure.Details() {
		switch it := detail.(type) {
		case *errdetails.ErrorInfo:
			line["reason"], line["domain"], line["metadata"] = it.GetReason(), it.GetDomain(), it.GetMetadata()
		case *errdetails.RetryInfo:
			line["retry_ms"] = it.GetRetryDelay().AsDuration().Milliseconds()
		}
	}
	return line
}

func keysOf(md metadata.MD) []string {
	keys := []string{}
	for key := range md {
		keys = append(keys, key)
	}
	return keys
}

// take adds an event of a stream to the line of it.
func take(line map[string]any, event *valinorv1.StreamResponse) {
	if sequence := event.GetSequence(); sequence > 0 {
		line["last"] = sequence
	}
	if delta := event.GetTextDelta(); delta != nil {
		line["text"] = line["text"].(string) + delta.GetText()
	}
	if event.GetDone() != nil {
		line["done"] = true
	}
}
