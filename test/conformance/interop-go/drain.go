// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// drainCase begins `count` streams and says "ready" when each has had events. It makes small calls until the streams have ended, as the
// server is stopped meanwhile. Then it goes on with each stream, on the same channel, from the last event it had.
func drainCase(ctx context.Context, c *client) error {
	var begun, streams sync.WaitGroup
	lines := make([]map[string]any, c.count)
	begun.Add(c.count)
	for i := range lines {
		streams.Go(func() {
			var once sync.Once
			lines[i] = c.read(ctx, fmt.Sprintf("%s-%d", c.id, i), c.message, 0, 0, func() { once.Do(begun.Done) })
		})
	}
	begun.Wait()
	printLine(map[string]any{"type": "ready"})
	ended := make(chan struct{})
	go func() {
		streams.Wait()
		close(ended)
	}()
	for left := true; left; {
		select {
		case <-ended:
			left = false
		case <-time.After(20 * time.Millisecond):
			printLine(c.send(ctx, "!echo meanwhile"))
		}
	}
	for _, line := range lines {
		printLine(line)
		streams.Go(func() { c.goOn(ctx, line["id"].(string), int(line["last"].(uint32))) })
	}
	streams.Wait()
	return nil
}

// goOn reads the rest of a run. A server that has just started may not have its agent yet, and says so: that is tried again, for as long
// as a call may last.
func (c *client) goOn(ctx context.Context, id string, after int) {
	for end := time.Now().Add(c.deadline); ; {
		rest := c.read(ctx, id, "", after, 0, nothing)
		rest["type"] = "rest"
		printLine(rest)
		if rest["code"] != "UNAVAILABLE" || time.Now().After(end) {
			return
		}
		after = int(rest["last"].(uint32))
		time.Sleep(200 * time.Millisecond)
	}
}
