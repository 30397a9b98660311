// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"io"

	"connectrpc.com/connect"
	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
	"github.com/valinor-ai/valinor/gen/go/valinor/v1/valinorv1connect"
)

// Proxy is what [Stream] needs of a generated client; make one with [Connect] or [GRPC].
type Proxy interface {
	open(context.Context, *valinorv1.StreamRequest) (call, error)
	cancel(context.Context, *valinorv1.CancelMessageRequest) (*valinorv1.CancelMessageResponse, error)
	status(context.Context, *valinorv1.GetAgentStatusRequest) (*valinorv1.GetAgentStatusResponse, error)
}

// call is a streaming call that was made. Its context ends it.
type call struct {
	// next gives the next event, and io.EOF after the last.
	next func() (*valinorv1.StreamResponse, error)
	// release frees what the call holds, once its context has ended.
	release func()
}

// Connect takes a client of package valinorv1connect, which speaks Connect, gRPC or gRPC-Web. What every call needs, such as
// an Authorization header, belongs into its interceptors.
func Connect(client valinorv1connect.AgentProxyClient) Proxy { return connectProxy{client} }

// GRPC takes a client of google.golang.org/grpc. Credentials belong into its connection's dial options.
func GRPC(client valinorv1.AgentProxyClient) Proxy { return grpcProxy{client} }

type connectProxy struct {
	client valinorv1connect.AgentProxyClient
}

func (p connectProxy) open(
	ctx context.Context, request *valinorv1.StreamRequest,
) (call, error) {
	events, err := p.client.Stream(ctx, connect.NewRequest(request))
	if err != nil {
		return call{}, err
	}
	next := func() (*valinorv1.StreamResponse, error) {
		if events.Receive() {
			return events.Msg(), nil
		}
		if err := events.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	return call{next: next, release: func() { _ = events.Close() }}, nil
}

func (p connectProxy) cancel(
	ctx context.Context, request *valinorv1.CancelMessageRequest,
) (*valinorv1.CancelMessageResponse, error) {
	response, err := p.client.CancelMessage(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	return response.Msg, nil
}

func (p connectProxy) status(
	ctx context.Context, request *valinorv1.GetAgentStatusRequest,
) (*valinorv1.GetAgentStatusResponse, error) {
	response, err := p.client.GetAgentStatus(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	return response.Msg, nil
}

type grpcProxy struct {
	client valinorv1.AgentProxyClient
}

func (p grpcProxy) open(
	ctx context.Context, request *valinorv1.StreamRequest,
) (call, error) {
	events, err := p.client.Stream(ctx, request)
	if err != nil {
		return call{}, err
	}
	return call{next: events.Recv, release: func() {}}, nil
}

func (p grpcProxy) cancel(
	ctx context.Context, request *valinorv1.CancelMessageRequest,
) (*valinorv1.CancelMessageResponse, error) {
	return p.client.CancelMessage(ctx, request)
}

func (p grpcProxy) status(
	ctx context.Context, request *valinorv1.GetAgentStatusRequest,
) (*valinorv1.GetAgentStatusResponse, error) {
	return p.client.GetAgentStatus(ctx, request)
}
