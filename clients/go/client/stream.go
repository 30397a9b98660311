// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"time"

	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"google.golang.org/protobuf/proto"
)

// endTime is what a call has to end after its last event.
const endTime = time.Second

// errLeft ends calls whose reader has left.
var errLeft = errors.New("valinor: the reader left")

// Stream runs a message and gives its events as they come, or attaches to the run that the request names: opened once, then
// each numbered event exactly once, the last of them done. Keepalives are left out. An error is given once, as the last
// thing: if the run ended in an error (see [EndedAt]), if no retry can help, when the context ends, and after a time
// without progress.
//
// The request is not changed. If it has no request_id, one is made. Leaving the loop before the last event, or ending the
// context, cancels the run, unless the request's on_disconnect is CONTINUE or it has no message; a connection that breaks
// never does. The sequence can be ranged over once for each run that is wanted; ranging over it again attaches if the
// request has a request_id.
func Stream(
	ctx context.Context, proxy Proxy, request *valinorv1.StreamRequest, options ...Option,
) iter.Seq2[*valinorv1.StreamResponse, error] {
	return func(yield func(*valinorv1.StreamResponse, error) bool) {
		r := newReader(proxy, request, options)
		err := r.follow(ctx, func(event *valinorv1.StreamResponse) bool { return yield(event, nil) })
		if r.started && !r.ended && (errors.Is(err, errLeft) || ctx.Err() != nil) {
			r.leave(ctx)
		}
		if err != nil && !errors.Is(err, errLeft) {
			yield(nil, err)
		}
	}
}

// reader is the reading of one run.
type reader struct {
	options
	proxy   Proxy
	request *valinorv1.StreamRequest
	cancels bool
	outage  outage

	// sequence of the last event that was given.
	sequence uint32
	// delivery says whether the agent has the message.
	delivery delivery
	// started: a call was made. opened: the opened event was given. ended: the run is over. lasting: it can be resumed.
	started, opened, ended, lasting bool
}

type delivery int

const (
	notDelivered delivery = iota
	maybeDelivered
	delivered
)

func newReader(proxy Proxy, request *valinorv1.StreamRequest, choices []Option) *reader {
	request = proto.CloneOf(request)
	r := &reader{options: defaults(), proxy: proxy, request: request, sequence: request.GetAfterSequence(), lasting: true}
	for _, choose := range choices {
		choose(&r.options)
	}
	if request.GetMessage() == nil || r.sequence > 0 {
		r.delivery = delivered
	}
	attaches := request.GetMessage() == nil
	r.cancels = !attaches && request.GetOnDisconnect() != valinorv1.OnDisconnect_ON_DISCONNECT_CONTINUE ||
		request.GetOnDisconnect() == valinorv1.OnDisconnect_ON_DISCONNECT_CANCEL
	if request.GetRequestId() == "" {
		request.RequestId = rand.Text()
	}
	// A cut looks to the server as if the reader had left: the run must outlive it. Leaving cancels in words.
	request.OnDisconnect = valinorv1.OnDisconnect_ON_DISCONNECT_CONTINUE
	return r
}

// follow reads the run to its end, through all cuts. It returns errLeft if the reader left.
func (r *reader) follow(ctx context.Context, give func(*valinorv1.StreamResponse) bool) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.attempt(ctx, give)
		if r.ended || errors.Is(err, errLeft) {
			return leftOrNil(err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		again, err := r.judge(ctx, err)
		if again {
			continue
		}
		if err = r.wait(ctx, err); err != nil {
			return err
		}
	}
}

func leftOrNil(err error) error {
	if errors.Is(err, errLeft) {
		return err
	}
	return nil
}

// attempt reads one call to its end.
func (r *reader) attempt(ctx context.Context, give func(*valinorv1.StreamResponse) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errLeft)
	silence := time.AfterFunc(r.silence, func() { cancel(ErrSilent) })
	defer silence.Stop()
	r.started = true
	call, err := r.proxy.open(ctx, r.nextRequest())
	if err == nil {
		defer func() {
			cancel(errLeft)
			call.release()
		}()
		err = r.read(call, silence, give)
	}
	switch {
	case errors.Is(context.Cause(ctx), ErrSilent):
		return ErrSilent
	case errors.Is(err, io.EOF):
		return ErrCut
	}
	return err
}

// read gives a call's new events until it fails, which it does with io.EOF at its end.
func (r *reader) read(call call, silence *time.Timer, give func(*valinorv1.StreamResponse) bool) error {
	for {
		event, err := call.next()
		if err != nil {
			return err
		}
		silence.Stop()
		fresh, err := r.advance(event)
		if err != nil {
			return err
		}
		if fresh && !give(event) {
			return errLeft
		}
		silence.Reset(r.silenceTime())
	}
}

func (r *reader) silenceTime() time.Duration {
	if r.ended {
		return endTime
	}
	return r.silence
}

// nextRequest makes the call's request. Once the agent has the message, or may have it, the call only attaches: it can't make
// the run twice.
func (r *reader) nextRequest() *valinorv1.StreamRequest {
	request := proto.CloneOf(r.request)
	request.AfterSequence = r.sequence
	if r.delivery != notDelivered {
		request.Message = nil
	}
	return request
}

// advance takes an event into account, and says whether it is to be given.
func (r *reader) advance(event *valinorv1.StreamResponse) (fresh bool, gap error) {
	if opened := event.GetOpened(); opened != nil {
		fresh, r.opened = !r.opened, true
		r.delivery = delivered
		r.lasting = opened.GetResumable()
		return fresh, nil
	}
	r.outage = outage{}
	sequence := event.GetSequence()
	if sequence == 0 || sequence <= r.sequence {
		return false, nil
	}
	if sequence != r.sequence+1 {
		return false, &GapError{Last: r.sequence, Next: sequence}
	}
	r.sequence = sequence
	r.ended = event.GetDone() != nil
	return true, nil
}

// judge says what a failed attempt means: whether the message may be sent again at once, or the error to meet.
func (r *reader) judge(ctx context.Context, err error) (again bool, failure error) {
	if r.delivery == maybeDelivered && Reason(err) == "RUN_UNKNOWN" {
		status, statusErr := r.proxy.status(ctx, &valinorv1.GetAgentStatusRequest{AgentId: r.request.GetAgentId()})
		if statusErr != nil {
			return false, statusErr
		}
		// Of protocol 1 no agent knows its runs: sending the message again might run it twice.
		if status.GetProtocol() >= 2 {
			r.delivery = notDelivered
			return true, nil
		}
	}
	if r.delivery == notDelivered && leavesOpen(err) {
		r.delivery = maybeDelivered
	}
	return false, err
}
