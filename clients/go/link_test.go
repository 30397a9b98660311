// Copyright 2026 The Valinor Authors
// SPDX-License-Identifier: Apache-2.0

package valinor_test

import (
	"encoding/json"
	"reflect"
	"testing"

	linkv1 "github.com/valinor-ai/valinor/gen/go/valinor/link/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func TestLinkPayloadsUseTheNamesAndNumbersOfTheWire(t *testing.T) {
	heartbeat := &linkv1.Heartbeat{
		Status:         "ready",
		UptimeSecs:     1.5,
		Protocol:       proto.Uint32(2),
		ConfigRevision: proto.Uint32(7),
	}
	encoded, err := protojson.Marshal(heartbeat)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"status": "ready", "uptime_secs": 1.5, "protocol": 2.0, "config_revision": 7.0}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLinkFieldsOfProtocol1AreWrittenWhereFalse(t *testing.T) {
	encoded, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(&linkv1.Chunk{Content: "a"})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"content": "a", "done": false}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
