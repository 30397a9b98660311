// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/valinor-ai/valinor/clients/go/client"
	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"github.com/valinor-ai/valinor/gen/go/valinor/v1/valinorv1connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// rogue is a server that breaks the rules, or speaks for an agent of protocol 1: what no real one does in tests.
type rogue struct {
	valinorv1connect.UnimplementedAgentProxyHandler
	stream   func(attempt int, request *valinorv1.StreamRequest, send func(*valinorv1.StreamResponse)) error
	protocol uint32
	requests []*valinorv1.StreamRequest
}

func (r *rogue) Stream(
	_ context.Context,
	request *connect.Request[valinorv1.StreamRequest],
	stream *connect.ServerStream[valinorv1.StreamResponse],
) error {
	r.requests = append(r.requests, request.Msg)
	return r.stream(len(r.requests), request.Msg, func(event *valinorv1.StreamResponse) { _ = stream.Send(event) })
}

func (r *rogue) GetAgentStatus(
	context.Context, *connect.Request[valinorv1.GetAgentStatusRequest],
) (*connect.Response[valinorv1.GetAgentStatusResponse], error) {
	return connect.NewResponse(&valinorv1.GetAgentStatusResponse{Protocol: r.protocol}), nil
}

// read streams a message from the server, and gives the sequences of the events and the error at the end.
func (r *rogue) read(t *testing.T, options ...client.Option) (sequences []uint32, last error) {
	mux := http.NewServeMux()
	mux.Handle(valinorv1connect.NewAgentProxyHandler(r))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	proxy := client.Connect(valinorv1connect.NewAgentProxyClient(server.Client(), server.URL))
	request := &valinorv1.StreamRequest{AgentId: "demo", Message: &valinorv1.Message{Content: "hello"}}
	for event, err := range client.Stream(t.Context(), proxy, request, options...) {
		if err != nil {
			return sequences, err
		}
		sequences = append(sequences, event.GetSequence())
	}
	return sequences, nil
}

func opened(resumable bool) *valinorv1.StreamResponse {
	event := &valinorv1.Opened{RequestId: "r", Resumable: resumable}
	return &valinorv1.StreamResponse{Event: &valinorv1.StreamResponse_Opened{Opened: event}}
}

func text(sequence uint32) *valinorv1.StreamResponse {
	event := &valinorv1.StreamResponse_TextDelta{TextDelta: &valinorv1.TextDelta{Text: "a"}}
	return &valinorv1.StreamResponse{Sequence: sequence, Event: event}
}

func done(sequence uint32) *valinorv1.StreamResponse {
	return &valinorv1.StreamResponse{Sequence: sequence, Event: &valinorv1.StreamResponse_Done{Done: &valinorv1.Done{}}}
}

func reasoned(code connect.Code, reason string) error {
	return told(code, &errdetails.ErrorInfo{Reason: reason, Domain: "valinor.dev"})
}

func told(code connect.Code, info *errdetails.ErrorInfo) error {
	failure := connect.NewError(code, errors.New(info.GetReason()))
	detail, err := connect.NewErrorDetail(info)
	if err != nil {
		return err
	}
	failure.AddDetail(detail)
	return failure
}

func TestAGapIsAnError(t *testing.T) {
	server := &rogue{stream: func(_ int, _ *valinorv1.StreamRequest, send func(*valinorv1.StreamResponse)) error {
		send(opened(true))
		send(text(1))
		send(text(3))
		return nil
	}}
	sequences, err := server.read(t)
	gap, ok := errors.AsType[*client.GapError](err)
	if !ok || gap.Last != 1 || gap.Next != 3 || len(sequences) != 2 {
		t.Errorf("got %v and %v", sequences, err)
	}
}

func TestAnEndWithoutDoneIsNoEndAndEventsSentAgainAreGivenOnce(t *testing.T) {
	server := &rogue{stream: func(_ int, request *valinorv1.StreamRequest, send func(*valinorv1.StreamResponse)) error {
		send(opened(true))
		send(text(1))
		send(text(1))
		if request.GetAfterSequence() == 1 {
			send(done(2))
		}
		return nil
	}}
	sequences, err := server.read(t)
	if err != nil || len(sequences) != 3 || sequences[2] != 2 {
		t.Errorf("got %v and %v", sequences, err)
	}
	if second := server.requests[1]; second.GetMessage() != nil || second.GetAfterSequence() != 1 {
		t.Errorf("the second call was %v", second)
	}
}

func TestAnAgentOfProtocol1NeverGetsAMessageTwice(t *testing.T) {
	server := &rogue{protocol: 1}
	server.stream = func(attempt int, request *valinorv1.StreamRequest, _ func(*valinorv1.StreamResponse)) error {
		if attempt == 1 {
			return connect.NewError(connect.CodeUnavailable, errors.New("link lost"))
		}
		if request.GetMessage() != nil {
			t.Error("the message was sent again")
		}
		return reasoned(connect.CodeNotFound, "RUN_UNKNOWN")
	}
	if _, err := server.read(t); client.Reason(err) != "RUN_UNKNOWN" {
		t.Errorf("got %v", err)
	}
}

func TestARunOfAServerThatStopsIsAttachedTo(t *testing.T) {
	server := &rogue{protocol: 2}
	server.stream = func(attempt int, request *valinorv1.StreamRequest, send func(*valinorv1.StreamResponse)) error {
		if attempt == 1 {
			return told(connect.CodeUnavailable, &errdetails.ErrorInfo{
				Reason: "DRAINING", Domain: "valinor.dev", Metadata: map[string]string{"last_sequence": "0"},
			})
		}
		if request.GetMessage() != nil {
			t.Error("the message was sent again")
		}
		send(opened(true))
		send(done(1))
		return nil
	}
	if _, err := server.read(t); err != nil {
		t.Error(err)
	}
}

func TestAMessageThatNeverArrivedIsSentAgain(t *testing.T) {
	server := &rogue{protocol: 2}
	server.stream = func(attempt int, _ *valinorv1.StreamRequest, send func(*valinorv1.StreamResponse)) error {
		switch attempt {
		case 1:
			return connect.NewError(connect.CodeUnavailable, errors.New("cut"))
		case 2:
			return reasoned(connect.CodeNotFound, "RUN_UNKNOWN")
		}
		send(opened(true))
		send(done(1))
		return nil
	}
	if _, err := server.read(t); err != nil {
		t.Error(err)
	}
	if server.requests[2].GetMessage() == nil || server.requests[2].GetRequestId() != server.requests[0].GetRequestId() {
		t.Errorf("the third call was %v", server.requests[2])
	}
}

func TestARunThatCannotBeResumedEndsWithItsConnection(t *testing.T) {
	server := &rogue{stream: func(_ int, _ *valinorv1.StreamRequest, send func(*valinorv1.StreamResponse)) error {
		send(opened(false))
		return nil
	}}
	if _, err := server.read(t); !errors.Is(err, client.ErrCut) || len(server.requests) != 1 {
		t.Errorf("got %v after %d calls", err, len(server.requests))
	}
}

func TestASilentServerIsNoticed(t *testing.T) {
	over := make(chan struct{})
	defer close(over) // before the server is closed, which waits for its calls
	server := &rogue{stream: func(_ int, _ *valinorv1.StreamRequest, send func(*valinorv1.StreamResponse)) error {
		send(opened(true))
		<-over
		return nil
	}}
	_, err := server.read(t, client.Silence(50*time.Millisecond), client.GiveUpAfter(0))
	if !errors.Is(err, client.ErrSilent) {
		t.Errorf("got %v", err)
	}
}
