// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

// Command go is a Go client of a Valinor server, for the tests: it makes one call with the generated code and prints
// what comes back as lines of JSON, the last of which has type "answer", "done", "end" or "error". An error that the
// server answered is a result: the exit code is 0. It is 1 if -mode error met no error, and 2 for wrong arguments.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"connectrpc.com/connect"
	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"github.com/valinor-ai/valinor/gen/go/valinor/v1/valinorv1connect"
)

type options struct {
	url, agent, mode, protocol string
	message, requestID, token  string
	after                      uint
	timeout                    time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "", "base `URL` of the server")
	flag.StringVar(&o.agent, "agent", "demo", "`id` of the agent")
	flag.StringVar(&o.mode, "mode", "send", "send, stream, or error (a send that has to fail)")
	flag.StringVar(&o.protocol, "protocol", "connect", "connect, grpc or grpcweb")
	flag.StringVar(&o.message, "message", "", "`text` to send; empty: a stream only attaches")
	flag.StringVar(&o.requestID, "request-id", "", "name of the run; empty: made by the server")
	flag.StringVar(&o.token, "token", "", "bearer token; empty: none")
	flag.UintVar(&o.after, "after", 0, "sequence of the last event that is known")
	flag.DurationVar(&o.timeout, "timeout", 20*time.Second, "deadline of the whole call")
	flag.Parse()
	os.Exit(run(o))
}

func run(o options) int {
	client, err := newClient(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()

	switch o.mode {
	case "send":
		err = send(ctx, client, o)
	case "stream":
		err = stream(ctx, client, o)
	case "error":
		if err = send(ctx, client, o); err == nil {
			fmt.Fprintln(os.Stderr, "the call succeeded, and was to fail")
			return 1
		}
	default:
		fmt.Fprintf(os.Stderr, "unknown mode %q\n", o.mode)
		return 2
	}
	if err != nil {
		printLine(describeError(err))
	}
	return 0
}

func send(ctx context.Context, client valinorv1connect.AgentProxyClient, o options) error {
	request := connect.NewRequest(&valinorv1.SendMessageRequest{
		AgentId:   o.agent,
		Message:   userMessage(o.message),
		RequestId: o.requestID,
	})
	authorize(request, o.token)
	response, err := client.SendMessage(ctx, request)
	if err != nil {
		return err
	}
	printLine(map[string]any{
		"type":          "answer",
		"request_id":    response.Msg.GetRequestId(),
		"content":       response.Msg.GetContent(),
		"finish_reason": response.Msg.GetFinishReason(),
		"total_tokens":  response.Msg.GetUsage().GetTotalTokens(),
		"tool_calls":    len(response.Msg.GetToolCalls()),
	})
	return nil
}

func stream(ctx context.Context, client valinorv1connect.AgentProxyClient, o options) error {
	request := connect.NewRequest(&valinorv1.StreamRequest{
		AgentId:       o.agent,
		Message:       userMessage(o.message),
		RequestId:     o.requestID,
		AfterSequence: uint32(o.after),
	})
	authorize(request, o.token)
	events, err := client.Stream(ctx, request)
	if err != nil {
		return err
	}
	defer events.Close()

	done := false
	for events.Receive() {
		printLine(describeEvent(events.Msg()))
		done = events.Msg().GetDone() != nil
	}
	if err := events.Err(); err != nil {
		return err
	}
	if !done {
		// The API promises that this never happens; a test that reads "end" has found a broken promise.
		printLine(map[string]any{"type": "end"})
	}
	return nil
}

// userMessage is nil for empty text: the call then only attaches to a run.
func userMessage(text string) *valinorv1.Message {
	if text == "" {
		return nil
	}
	return &valinorv1.Message{Role: "user", Content: text}
}

func printLine(line map[string]any) {
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err) // stdout is gone, and with it whoever wanted the answer
	}
}
