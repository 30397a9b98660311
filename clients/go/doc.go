// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

// Package valinor is the root of the module of Valinor's Go client:
//
//	go get github.com/valinor-ai/valinor/clients/go
//
// It holds no code of its own, but its examples are whole calls. What users want is in the package client: streams that
// resume by themselves after a broken connection, and readers for the reasons of errors. The module
// github.com/valinor-ai/valinor/gen/go, which comes along, has the generated code:
//
//   - valinor/v1 (package valinorv1): messages of the public API, and gRPC clients and servers for it;
//   - valinor/v1/valinorv1connect: the same services for Connect, gRPC and gRPC-Web over net/http;
//   - valinor/link/v1 (package linkv1): payloads of the link between the control plane and a guest. Its frames are
//     JSON with the names of docs/wire-protocol.md; protojson writes them with EmitDefaultValues, since the fields of
//     protocol 1 are always present.
//
// It is generated from the schemas in proto/ by `npm run generate`. Both modules stand in folders of their repository, so
// their versions are tags of the form clients/go/v0.1.0 and gen/go/v0.1.0.
//
// A client of one service over Connect:
//
//	proxy := valinorv1connect.NewAgentProxyClient(http.DefaultClient, "https://valinor.example.com")
//
// Errors are Connect (or gRPC) errors with a google.rpc.ErrorInfo detail of domain "valinor.dev": its reason tells
// them apart (client.Reason gives it, client.ReasonAgentBusy and its like name it), and its metadata carries the sequence
// at which a run ended. A message that is sent again under the same request_id never runs twice: it attaches to the run
// that exists.
package valinor
