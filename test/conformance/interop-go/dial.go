// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"
	_ "unsafe" // for go:linkname

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
)

// leastPing is grpc-go's own least time between pings, ten seconds: a case with pings every second would last two minutes with it.
//
//go:linkname leastPing google.golang.org/grpc/internal.KeepaliveMinPingTime
var leastPing time.Duration

// traffic counts connections, and bytes as they are on the wire.
type traffic struct {
	connections, read, written atomic.Int64
}

type countedConn struct {
	net.Conn
	seen *traffic
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.read.Add(int64(n))
	return n, err
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.seen.written.Add(int64(n))
	return n, err
}

func dial(o options, seen *traffic) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if o.ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(o.ca, ""); err != nil {
			return nil, err
		}
	}
	choices := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			seen.connections.Add(1)
			return countedConn{conn, seen}, nil
		}),
	}
	if o.pings > 0 {
		leastPing = o.pings
		choices = append(choices, grpc.WithKeepaliveParams(
			keepalive.ClientParameters{Time: o.pings, Timeout: 10 * time.Second, PermitWithoutStream: true}))
	}
	if o.gzip {
		choices = append(choices, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	return grpc.NewClient("passthrough:///"+o.target, choices...)
}
