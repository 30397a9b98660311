// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"math/rand/v2"
	"time"

	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
)

const (
	// firstPause is the longest pause before the first retry of an outage; it doubles with each further one.
	firstPause = 200 * time.Millisecond
	// longestPause is the longest of all.
	longestPause = 5 * time.Second
	// cancelTime is what cancelling a run may take after its reader has left; what is not cancelled by then goes on.
	cancelTime = 3 * time.Second
	// cancelLooks is how often a run is looked for whose stream was left before it was opened.
	cancelLooks = 4
)

// Option changes how [Stream] meets outages.
type Option func(*options)

type options struct {
	giveUpAfter, silence time.Duration
	onRetry              func(err error, attempt int, delay time.Duration)
}

func defaults() options {
	return options{giveUpAfter: time.Minute, silence: 45 * time.Second, onRetry: func(error, int, time.Duration) {}}
}

// GiveUpAfter sets the time without progress after which an outage is an error; default a minute. 0: never try again.
func GiveUpAfter(limit time.Duration) Option { return func(o *options) { o.giveUpAfter = limit } }

// Silence sets the time without a word of the server after which the connection counts as lost; default 45 s. Servers say
// something every 15 s.
func Silence(limit time.Duration) Option { return func(o *options) { o.silence = limit } }

// OnRetry sets a function that is told of every retry before its pause, for logs: what failed, which retry of the outage
// comes (from 1), and after how long.
func OnRetry(tell func(err error, attempt int, delay time.Duration)) Option {
	return func(o *options) { o.onRetry = tell }
}

// outage is a time without progress. Its zero value: there is none.
type outage struct {
	began   time.Time
	attempt int
}

// wait waits until the call may be made again. It returns the error itself if no retry can help or the time is over.
func (r *reader) wait(ctx context.Context, err error) error {
	if !r.lasting || !isTransient(err) {
		return err
	}
	now := time.Now()
	if r.outage.attempt == 0 {
		r.outage.began = now
	}
	r.outage.attempt++
	delay := pause(r.outage.attempt, RetryDelay(err))
	if now.Sub(r.outage.began)+delay > r.giveUpAfter {
		return err
	}
	r.onRetry(err, r.outage.attempt, delay)
	return sleep(ctx, delay)
}

// pause has full jitter, so that clients that lost the same server do not come back at once; it is never shorter than the
// server asks for.
func pause(attempt int, asked time.Duration) time.Duration {
	longest := min(longestPause, firstPause<<min(attempt-1, 10))
	jittered := rand.N(longest)
	if asked > 0 {
		asked += rand.N(asked/4 + 1)
	}
	return max(jittered, asked)
}

func sleep(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave cancels the run of a reader that has left, if that is wanted. A message that is still under way has no run yet
// that could be found: until the stream was opened, it is looked for a few times.
func (r *reader) leave(ctx context.Context) {
	if !r.cancels {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer stop()
	request := &valinorv1.CancelMessageRequest{
		AgentId:   r.request.GetAgentId(),
		RequestId: r.request.GetRequestId(),
		Reason:    "the client left",
	}
	for looked := 1; ; looked++ {
		answer, err := r.proxy.cancel(ctx, request)
		if err == nil && (answer.GetFound() || r.opened || looked > cancelLooks) || err != nil && !isTransient(err) {
			return
		}
		// When the time is over there is nobody left to tell.
		if sleep(ctx, time.Duration(looked)*50*time.Millisecond) != nil {
			return
		}
	}
}
