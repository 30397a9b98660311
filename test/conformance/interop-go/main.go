// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

// Command interop-go is a client on grpc-go of a Valinor server, for the conformance suite: it makes the calls of one case on one channel,
// and prints what came of them as lines of JSON. The last line tells of the channel: how many connections it took, and the bytes of them.
// An error that a call ended in is a result: the exit code is 0. It is 1 if a case could not be played.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	valinorv1 "github.com/valinor-ai/valinor/gen/go/valinor/v1"
)

// options are what the test asks for; see ../interop-calls.ts.
type options struct {
	target, ca, token     string
	name, message, id     string
	count, after, bytes   int
	deadline, pings, idle time.Duration
	cancelRun, gzip       bool
}

// client is one channel to the server.
type client struct {
	options
	proxy valinorv1.AgentProxyClient
}

var cases = map[string]func(context.Context, *client) error{
	"send":   sendCase,
	"stream": streamCase,
	"leave":  leaveCase,
	"many":   manyCase,
	"over":   overCase,
	"idle":   idleCase,
	"busy":   busyCase,
	"drain":  drainCase,
}

func main() {
	var o options
	flag.StringVar(&o.name, "case", "", "what to do")
	flag.StringVar(&o.target, "target", "", "`HOST:PORT` of the server")
	flag.StringVar(&o.ca, "ca", "", "`FILE` with the certificate to trust; empty: in the clear")
	flag.StringVar(&o.token, "token", "", "sent as authorization")
	flag.StringVar(&o.message, "message", "", "`text` to send")
	flag.StringVar(&o.id, "id", "", "request_id")
	flag.IntVar(&o.count, "count", 1, "how many calls")
	flag.IntVar(&o.after, "after", 0, "number of the last event that is known, or to read")
	flag.IntVar(&o.bytes, "bytes", 0, "size of a message that is over the bound")
	flag.DurationVar(&o.deadline, "deadline", 60*time.Second, "of each call")
	flag.DurationVar(&o.pings, "pings", 0, "time between pings")
	flag.DurationVar(&o.idle, "idle", 0, "how long to be idle, or busy")
	flag.BoolVar(&o.cancelRun, "cancel-run", false, "on_disconnect: cancel")
	flag.BoolVar(&o.gzip, "gzip", false, "compress")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o options) error {
	play, ok := cases[o.name]
	if !ok {
		return fmt.Errorf("there is no case %q", o.name)
	}
	seen := &traffic{}
	conn, err := dial(o, seen)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := play(context.Background(), &client{options: o, proxy: valinorv1.NewAgentProxyClient(conn)}); err != nil {
		return err
	}
	printLine(map[string]any{
		"type": "channel", "connections": seen.connections.Load(), "read": seen.read.Load(), "written": seen.written.Load(),
	})
	return nil
}

var printing sync.Mutex

func printLine(line map[string]any) {
	printing.Lock()
	defer printing.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err) // stdout is gone, and with it whoever wanted the answer
	}
}
