// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

// Package client reads runs of Valinor's agents through broken connections.
//
// [Stream] sends a message and gives the run's events as they come. If a connection breaks, a server restarts or a
// network goes silent, it waits, attaches to the run again and goes on after the last event: no event is given twice, none
// is left out, and the message never runs twice.
//
//	proxy := client.Connect(valinorv1connect.NewAgentProxyClient(http.DefaultClient, "https://valinor.example.com"))
//	request := &valinorv1.StreamRequest{AgentId: "demo", Message: &valinorv1.Message{Content: "Say hello."}}
//	for event, err := range client.Stream(ctx, proxy, request) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(event.GetTextDelta().GetText())
//	}
//
// [GRPC] does the same for a client of google.golang.org/grpc. [Info], [Reason] and [RetryDelay] read what errors of either
// carry.
package client
