// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

func (c *client) context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, c.deadline)
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
	}
	return metadata.AppendToOutgoingContext(ctx, "x-trace-bin", "\x00\xff\x01"), cancel
}

// send makes a unary call.
func (c *client) send(ctx context.Context, message string) map[string]any {
	ctx, cancel := c.context(ctx)
	defer cancel()
	var header, trailer metadata.MD
	began := time.Now()
	request := &valinorv1.SendMessageRequest{
		AgentId: "demo", RequestId: c.id, Message: &valinorv1.Message{Role: "user", Content: message},
	}
	answer, err := c.proxy.SendMessage(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))
	return describe(map[string]any{"type": "send", "text": answer.GetContent()}, err, header, trailer, began)
}

// read makes a streaming call, and reads it to its end; or to the event `until`, if that is not 0, and leaves then.
func (c *client) read(ctx context.Context, id, message string, after, until int, more func()) map[string]any {
	ctx, cancel := c.context(ctx)
	defer cancel()
	began := time.Now()
	line := map[string]any{"type": "stream", "id": id, "text": "", "last": uint32(after), "done": false}
	request := &valinorv1.StreamRequest{AgentId: "demo", RequestId: id, AfterSequence: uint32(after)}
	if message != "" {
		request.Message = &valinorv1.Message{Role: "user", Content: message}
	}
	request.OnDisconnect = valinorv1.OnDisconnect_ON_DISCONNECT_CONTINUE
	if c.cancelRun {
		request.OnDisconnect = valinorv1.OnDisconnect_ON_DISCONNECT_CANCEL
	}
	events, err := c.proxy.Stream(ctx, request, grpc.WaitForReady(true))
	if err != nil {
		return describe(line, err, nil, nil, began)
	}
	for {
		event, err := events.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			header, _ := events.Header()
			return describe(line, err, header, events.Trailer(), began)
		}
		take(line, event)
		more()
		if until > 0 && int(event.GetSequence()) >= until {
			cancel()
		}
	}
}

func nothing() {}

func sendCase(ctx context.Context, c *client) error {
	printLine(c.send(ctx, c.message))
	return nil
}

func streamCase(ctx context.Context, c *client) error {
	printLine(c.read(ctx, c.id, c.message, c.after, 0, nothing))
	return nil
}

// leaveCase leaves a stream at the event `after`.
func leaveCase(ctx context.Context, c *client) error {
	printLine(c.read(ctx, c.id, c.message, 0, c.after, nothing))
	return nil
}

// status asks for the agent's status, which is no run.
func (c *client) status(ctx context.Context) map[string]any {
	ctx, cancel := c.context(ctx)
	defer cancel()
	var header, trailer metadata.MD
	began := time.Now()
	request := &valinorv1.GetAgentStatusRequest{AgentId: "demo"}
	_, err := c.proxy.GetAgentStatus(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))
	return describe(map[string]any{"type": "status", "text": ""}, err, header, trailer, began)
}

// manyCase makes `count` calls at once: sends the message, or if there is none asks for the agent's status.
func manyCase(ctx context.Context, c *client) error {
	var all sync.WaitGroup
	for range c.count {
		all.Go(func() {
			if c.message == "" {
				printLine(c.status(ctx))
			} else {
				printLine(c.send(ctx, c.message))
			}
		})
	}
	all.Wait()
	return nil
}

// overCase sends a message that is over the server's bound, while a stream is read on the same connection, and one that is not.
func overCase(ctx context.Context, c *client) error {
	var stream sync.WaitGroup
	stream.Go(func() { printLine(c.read(ctx, c.id, c.message, 0, 0, nothing)) })
	printLine(c.send(ctx, strings.Repeat("x", c.bytes)))
	printLine(c.send(ctx, "!echo after"))
	stream.Wait()
	return nil
}

// idleCase makes a call, is idle, and makes another one.
func idleCase(ctx context.Context, c *client) error {
	printLine(c.send(ctx, "!echo before"))
	time.Sleep(c.idle)
	printLine(c.send(ctx, "!echo after"))
	return nil
}

// busyCase reads one stream, and makes one small call after the other meanwhile.
func busyCase(ctx context.Context, c *client) error {
	end := time.Now().Add(c.idle)
	var stream sync.WaitGroup
	stream.Go(func() { printLine(c.read(ctx, c.id, c.message, 0, 0, nothing)) })
	for time.Now().Before(end) {
		printLine(c.send(ctx, "!echo busy"))
		time.Sleep(50 * time.Millisecond)
	}
	stream.Wait()
	return nil
}
