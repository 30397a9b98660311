// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"

	"connectrpc.com/connect"
	"github.com/valinor-ai/valinor/gen/go/valinor/v1/valinorv1connect"
)

// newClient makes the client for the protocol asked for. gRPC needs HTTP/2, which a cleartext server takes only from
// clients that begin with it (h2c with prior knowledge); the others use HTTP/1.1, as most of their clients do.
func newClient(o options) (valinorv1connect.AgentProxyClient, error) {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	var choices []connect.ClientOption
	switch o.protocol {
	case "connect":
		transport.Protocols.SetHTTP1(true)
	case "grpcweb":
		transport.Protocols.SetHTTP1(true)
		choices = append(choices, connect.WithGRPCWeb())
	case "grpc":
		transport.Protocols.SetUnencryptedHTTP2(true)
		choices = append(choices, connect.WithGRPC())
	default:
		return nil, fmt.Errorf("unknown protocol %q", o.protocol)
	}
	return valinorv1connect.NewAgentProxyClient(&http.Client{Transport: transport}, o.url, choices...), nil
}

func authorize(request connect.AnyRequest, token string) {
	if token != "" {
		request.Header().Set("Authorization", "Bearer "+token)
	}
}
