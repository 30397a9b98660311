// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package valinor_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/valinor-ai/valinor/clients/go/client"
	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"github.com/valinor-ai/valinor/gen/go/valinor/v1/valinorv1connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// Send a message and wait for the whole answer.
func Example() {
	proxy := valinorv1connect.NewAgentProxyClient(http.DefaultClient, serverURL)
	response, err := proxy.SendMessage(context.Background(), connect.NewRequest(&valinorv1.SendMessageRequest{
		AgentId: "demo",
		Message: &valinorv1.Message{Role: "user", Content: "!words 3"},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.Msg.GetContent())
	fmt.Println(response.Msg.GetFinishReason())
	// Output:
	// word1 word2 word3
	// stop
}

// Stream an answer through a network that breaks: package client attaches to the run again, and goes on after the last
// event.
func Example_stream() {
	network := startNetwork(serverURL)
	defer network.close()
	proxy := client.Connect(valinorv1connect.NewAgentProxyClient(http.DefaultClient, network.url))

	request := &valinorv1.StreamRequest{
		AgentId: "demo",
		Message: &valinorv1.Message{Role: "user", Content: "!words 5"},
	}
	tell := client.OnRetry(func(error, int, time.Duration) { fmt.Println("(resuming)") })
	for event, err := range client.Stream(context.Background(), proxy, request, tell) {
		if err != nil {
			fmt.Println(err)
			return
		}
		switch it := event.GetEvent().(type) {
		case *valinorv1.StreamResponse_TextDelta:
			fmt.Println(strings.TrimSpace(it.TextDelta.GetText()))
			if event.GetSequence() == 2 {
				network.cut()
			}
		case *valinorv1.StreamResponse_Done:
			fmt.Println("done:", it.Done.GetFinishReason())
		}
	}
	// Output:
	// word1
	// word2
	// (resuming)
	// word3
	// word4
	// word5
	// done: stop
}

// Resume without package client: the same call with the sequence of the last event. It only attaches to the run, which the
// request_id names.
func Example_resume() {
	ctx := context.Background()
	proxy := valinorv1connect.NewAgentProxyClient(http.DefaultClient, serverURL)
	request := &valinorv1.StreamRequest{
		AgentId:   "demo",
		RequestId: "order-" + rand.Text(), // names the run: it never runs twice
		Message:   &valinorv1.Message{Role: "user", Content: "!words 4"},
	}

	first, leave := context.WithCancel(ctx)
	events, err := proxy.Stream(first, connect.NewRequest(request))
	if err != nil {
		fmt.Println(err)
	}
	for events.Receive() && request.AfterSequence < 2 {
		request.AfterSequence = max(request.AfterSequence, events.Msg().GetSequence())
		fmt.Print(events.Msg().GetTextDelta().GetText())
	}
	leave() // as a broken connection would

	events, err = proxy.Stream(ctx, connect.NewRequest(request))
	if err != nil {
		fmt.Println(err)
		return
	}
	for events.Receive() {
		fmt.Print(events.Msg().GetTextDelta().GetText())
	}
	fmt.Println(" / error:", events.Err())
	// Output:
	// word1 word2 word3 word4 / error: <nil>
}

// Errors have a reason: tell them apart by it.
func Example_errors() {
	proxy := valinorv1connect.NewAgentProxyClient(http.DefaultClient, serverURL)
	_, err := proxy.SendMessage(context.Background(), connect.NewRequest(&valinorv1.SendMessageRequest{
		AgentId: "nobody",
		Message: &valinorv1.Message{Content: "hello"},
	}))
	var failure *connect.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.Code())
		for _, detail := range failure.Details() {
			value, err := detail.Value()
			if info, ok := value.(*errdetails.ErrorInfo); ok && err == nil {
				fmt.Println(info.GetDomain(), info.GetReason(), info.GetMetadata()["agent_id"])
			}
		}
	}
	fmt.Println(client.Reason(err)) // the same in short
	// Output:
	// not_found
	// valinor.dev AGENT_NOT_FOUND nobody
	// AGENT_NOT_FOUND
}

// The same over gRPC, with the stubs of google.golang.org/grpc.
func Example_grpc() {
	ctx := context.Background()
	target := strings.TrimPrefix(serverURL, "http://")
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer connection.Close()
	stub := valinorv1.NewAgentProxyClient(connection)

	message := &valinorv1.Message{Role: "user", Content: "!words 3"}
	answer, err := stub.SendMessage(ctx, &valinorv1.SendMessageRequest{AgentId: "demo", Message: message})
	fmt.Println(answer.GetContent(), err)

	for event, err := range client.Stream(ctx, client.GRPC(stub), &valinorv1.StreamRequest{AgentId: "demo", Message: message}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(event.GetTextDelta().GetText())
	}
	fmt.Println()

	_, err = stub.SendMessage(ctx, &valinorv1.SendMessageRequest{AgentId: "nobody", Message: message})
	failure, _ := status.FromError(err)
	fmt.Println(failure.Code())
	for _, detail := range failure.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Println(info.GetReason())
		}
	}
	// Output:
	// word1 word2 word3 <nil>
	// word1 word2 word3
	// NotFound
	// AGENT_NOT_FOUND
}
