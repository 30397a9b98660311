// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package valinor_test

import (
	"io"
	"net"
	"strings"
	"sync"
)

// network is a TCP proxy in front of a server whose connections can be cut.
type network struct {
	url      string
	listener net.Listener
	target   string

	mu   sync.Mutex
	open map[net.Conn]bool
	// limit says how many bytes the server's side of the next connection lets through; nil: all.
	limit func() int64
}

func startNetwork(target string) *network {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	n := &network{
		url:      "http://" + listener.Addr().String(),
		listener: listener,
		target:   strings.TrimPrefix(target, "http://"),
		open:     map[net.Conn]bool{},
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go n.serve(client)
		}
	}()
	return n
}

func (n *network) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", n.target)
	if err != nil {
		return
	}
	defer server.Close()
	n.mu.Lock()
	n.open[client] = true
	limit := int64(-1)
	if n.limit != nil {
		limit = n.limit()
	}
	n.mu.Unlock()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	if limit < 0 {
		_, _ = io.Copy(client, server)
	} else {
		_, _ = io.CopyN(client, server, limit)
	}
	n.mu.Lock()
	delete(n.open, client)
	n.mu.Unlock()
}

// cut closes every connection.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for connection := range n.open {
		connection.Close()
	}
}

func (n *network) close() {
	n.listener.Close()
	n.cut()
}
