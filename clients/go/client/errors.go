// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrSilent is the cause of an outage that no error told of: the server said nothing for longer than it ever should.
var ErrSilent = errors.New("valinor: the server has gone silent")

// ErrCut is the cause of an outage in which a stream ended before its run did.
var ErrCut = errors.New("valinor: the stream ended before the run did")

// GapError is a stream that left out an event. It is never tried again.
type GapError struct {
	// Last is the sequence of the last good event, Next that of the one that followed.
	Last, Next uint32
}

func (e *GapError) Error() string {
	return fmt.Sprintf("valinor: event %d follows event %d", e.Next, e.Last)
}

// Info gives the ErrorInfo of a Valinor server's error, of Connect or of gRPC; nil if the error has none, as that of a broken
// connection has none.
func Info(err error) *errdetails.ErrorInfo {
	for _, detail := range details(err) {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == domain {
			return info
		}
	}
	return nil
}

// Reason gives the reason of an error, one of the constants Reason... or one that only a newer server gives; empty if it has none.
func Reason(err error) string { return Info(err).GetReason() }

// RetryDelay gives how long to wait before a retry, if the server says that one can help; otherwise 0.
func RetryDelay(err error) time.Duration {
	for _, detail := range details(err) {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			return retry.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// EndedAt gives the sequence of the event that ended the run, if the error did; otherwise 0, and the run may be going on.
func EndedAt(err error) uint32 {
	sequence, parseErr := strconv.ParseUint(Info(err).GetMetadata()["sequence"], 10, 32)
	if parseErr != nil {
		return 0
	}
	return uint32(sequence)
}

// details of an error, decoded; those of unknown types are left out.
func details(err error) []any {
	if failure, ok := errors.AsType[*connect.Error](err); ok {
		var found []any
		for _, detail := range failure.Details() {
			if value, err := detail.Value(); err == nil {
				found = append(found, value)
			}
		}
		return found
	}
	if failure, ok := status.FromError(err); ok {
		return failure.Details()
	}
	return nil
}

// isTransient says whether the same call may succeed when it is made again.
func isTransient(err error) bool {
	if _, ok := errors.AsType[*GapError](err); ok {
		return false
	}
	if info := Info(err); info != nil {
		return EndedAt(err) == 0 && transientReasons[info.GetReason()]
	}
	// Everything else without a reason is a connection: one that breaks within an event is an invalid argument to Connect.
	reason, isBare := bareCodes[codeOf(err)]
	return !isBare || transientReasons[reason]
}

// leavesOpen says whether the agent may have got the message although the call failed.
func leavesOpen(err error) bool {
	if reason := Reason(err); reason == "" || openReasons[reason] {
		return true
	}
	// A server that stops says so by naming the last event that it gave.
	return Info(err).GetMetadata()["last_sequence"] != ""
}

func codeOf(err error) connect.Code {
	if failure, ok := errors.AsType[*connect.Error](err); ok {
		return failure.Code()
	}
	if failure, ok := status.FromError(err); ok && failure.Code() != codes.OK {
		return connect.Code(failure.Code())
	}
	return connect.CodeUnknown
}
