// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package valinor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect"
	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"github.com/valinor-ai/valinor/gen/go/valinor/v1/valinorv1connect"
)

// A stream that breaks is resumed by the same call with the sequence of the last event seen. The message is sent again
// with it: the request_id keeps it from running twice.
func Example() {
	server := httptest.NewServer(flakyProxy())
	defer server.Close()
	client := valinorv1connect.NewAgentProxyClient(server.Client(), server.URL)

	request := &valinorv1.StreamRequest{
		AgentId:   "demo",
		RequestId: "order-42",
		Message:   &valinorv1.Message{Role: "user", Content: "Say hello."},
	}
	for range 3 {
		err := readRun(context.Background(), client, request)
		if connect.CodeOf(err) == connect.CodeUnavailable {
			fmt.Printf("(resuming after %d)\n", request.AfterSequence)
			continue
		}
		if err != nil {
			fmt.Println(err)
		}
		return
	}
	// Output:
	// Hello,
	// (resuming after 1)
	// world.
	// done: stop
}

// readRun prints the run's events, and keeps the place in the request.
func readRun(ctx context.Context, client valinorv1connect.AgentProxyClient, request *valinorv1.StreamRequest) error {
	events, err := client.Stream(ctx, connect.NewRequest(request))
	if err != nil {
		return err
	}
	defer events.Close()
	for events.Receive() {
		event := events.Msg()
		request.AfterSequence = max(request.AfterSequence, event.Sequence)
		switch it := event.Event.(type) {
		case *valinorv1.StreamResponse_TextDelta:
			fmt.Println(it.TextDelta.Text)
		case *valinorv1.StreamResponse_Done:
			fmt.Println("done:", it.Done.FinishReason)
		}
	}
	return events.Err()
}

// flakyProxy answers in two pieces, and loses the link to its agent between them.
func flakyProxy() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(valinorv1connect.NewAgentProxyHandler(proxy{}))
	return mux
}

type proxy struct {
	valinorv1connect.UnimplementedAgentProxyHandler
}

func (proxy) Stream(
	_ context.Context,
	request *connect.Request[valinorv1.StreamRequest],
	stream *connect.ServerStream[valinorv1.StreamResponse],
) error {
	opened := &valinorv1.Opened{RequestId: request.Msg.RequestId, Resumable: true}
	if err := stream.Send(&valinorv1.StreamResponse{Event: &valinorv1.StreamResponse_Opened{Opened: opened}}); err != nil {
		return err
	}
	if request.Msg.AfterSequence == 0 {
		if err := stream.Send(text(1, "Hello,")); err != nil {
			return err
		}
		return connect.NewError(connect.CodeUnavailable, errors.New("link lost"))
	}
	if err := stream.Send(text(2, "world.")); err != nil {
		return err
	}
	done := &valinorv1.Done{FinishReason: "stop"}
	return stream.Send(&valinorv1.StreamResponse{Sequence: 3, Event: &valinorv1.StreamResponse_Done{Done: done}})
}

func text(sequence uint32, text string) *valinorv1.StreamResponse {
	delta := &valinorv1.TextDelta{Text: text}
	return &valinorv1.StreamResponse{Sequence: sequence, Event: &valinorv1.StreamResponse_TextDelta{TextDelta: delta}}
}
