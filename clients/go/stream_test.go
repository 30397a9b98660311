// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package valinor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/valinor-ai/valinor/clients/go/client"
	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"github.com/valinor-ai/valinor/gen/go/valinor/v1/valinorv1connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func needServer(t *testing.T) {
	if serverURL == "" {
		t.Skip("there is no server")
	}
}

// clients makes a client of every kind for a server.
func clients(t *testing.T, url string) map[string]client.Proxy {
	h2c := &http.Transport{Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	connection, err := grpc.NewClient(strings.TrimPrefix(url, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return map[string]client.Proxy{
		"Connect": client.Connect(valinorv1connect.NewAgentProxyClient(&http.Client{Transport: &http.Transport{}}, url)),
		"gRPC by Connect": client.Connect(
			valinorv1connect.NewAgentProxyClient(&http.Client{Transport: h2c}, url, connect.WithGRPC())),
		"gRPC": client.GRPC(valinorv1.NewAgentProxyClient(connection)),
	}
}

func words(count int) *valinorv1.StreamRequest {
	content := fmt.Sprintf("!pace 1 !words %d", count)
	return &valinorv1.StreamRequest{AgentId: "demo", Message: &valinorv1.Message{Content: content}}
}

func TestAStreamGivesEachEventOnceWhereverConnectionsAreCut(t *testing.T) {
	needServer(t)
	broken := startNetwork(serverURL)
	defer broken.close()
	for name, proxy := range clients(t, broken.url) {
		t.Run(name, func(t *testing.T) {
			cuts := 4
			broken.mu.Lock()
			broken.limit = func() int64 {
				if cuts--; cuts < 0 {
					return -1
				}
				return rand.Int64N(3000)
			}
			broken.mu.Unlock()
			broken.cut()
			var text strings.Builder
			next := uint32(0)
			for event, err := range client.Stream(t.Context(), proxy, words(60)) {
				if err != nil {
					t.Fatal(err)
				}
				if event.GetSequence() != next {
					t.Fatalf("expected event %d, got event %d", next, event.GetSequence())
				}
				next++
				text.WriteString(event.GetTextDelta().GetText())
			}
			if next != 62 || strings.Count(text.String(), "word") != 60 {
				t.Errorf("%d events, text %q", next, text.String())
			}
		})
	}
}

func TestLeavingTheLoopCancelsTheRun(t *testing.T) {
	needServer(t)
	for name, proxy := range clients(t, serverURL) {
		t.Run(name, func(t *testing.T) {
			id := leaveAfterOpened(t, proxy, words(100_000))
			if reason := client.Reason(lastError(t, proxy, id)); reason != "RUN_CANCELLED" {
				t.Errorf("the run ended with %q", reason)
			}
		})
	}
}

func TestARunThatIsToContinueOutlivesItsReader(t *testing.T) {
	needServer(t)
	proxy := clients(t, serverURL)["Connect"]
	request := words(30)
	request.OnDisconnect = valinorv1.OnDisconnect_ON_DISCONNECT_CONTINUE
	if err := lastError(t, proxy, leaveAfterOpened(t, proxy, request)); err != nil {
		t.Error(err)
	}
}

func TestEndingTheContextCancelsTheRun(t *testing.T) {
	needServer(t)
	proxy := clients(t, serverURL)["Connect"]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var id string
	var last error
	for event, err := range client.Stream(ctx, proxy, words(100_000)) {
		if last = err; err == nil && event.GetOpened() != nil {
			id = event.GetOpened().GetRequestId()
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the stream ended with %v", last)
	}
	if reason := client.Reason(lastError(t, proxy, id)); reason != "RUN_CANCELLED" {
		t.Errorf("the run ended with %q", reason)
	}
}

func TestAnErrorThatEndedTheRunIsNotTriedAgain(t *testing.T) {
	needServer(t)
	for name, proxy := range clients(t, serverURL) {
		t.Run(name, func(t *testing.T) {
			request := &valinorv1.StreamRequest{AgentId: "demo", Message: &valinorv1.Message{Content: "!fail 503"}}
			var last error
			for _, err := range client.Stream(t.Context(), proxy, request) {
				last = err
			}
			if client.Reason(last) != "AGENT_ERROR" || client.EndedAt(last) == 0 {
				t.Errorf("got %v, ended at %d", last, client.EndedAt(last))
			}
		})
	}
}

func TestAServerThatCannotBeReachedIsGivenUp(t *testing.T) {
	closed := startNetwork("http://127.0.0.1:1")
	closed.close()
	for name, proxy := range clients(t, closed.url) {
		t.Run(name, func(t *testing.T) {
			retries := 0
			tell := client.OnRetry(func(error, int, time.Duration) { retries++ })
			var last error
			for _, err := range client.Stream(t.Context(), proxy, words(1), client.GiveUpAfter(300*time.Millisecond), tell) {
				last = err
			}
			if last == nil || retries == 0 {
				t.Errorf("got %v after %d retries", last, retries)
			}
		})
	}
}

func leaveAfterOpened(t *testing.T, proxy client.Proxy, request *valinorv1.StreamRequest) string {
	for event, err := range client.Stream(t.Context(), proxy, request) {
		if err != nil {
			t.Fatal(err)
		}
		return event.GetOpened().GetRequestId()
	}
	t.Fatal("the stream was empty")
	return ""
}

// lastError reads a run to its end, and gives the error that ended it.
func lastError(t *testing.T, proxy client.Proxy, id string) (last error) {
	attach := &valinorv1.StreamRequest{AgentId: "demo", RequestId: id}
	for _, err := range client.Stream(t.Context(), proxy, attach) {
		last = err
	}
	return last
}
