//go:build kafka && unix

package kafkatest

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A broker keeps its data and its address over a crash, and is gone when stopped.
func TestRealRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	r, err := StartReal(ctx, RealOptions{Properties: map[string]string{"auto.create.topics.enable": "true"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	c, err := kgo.NewClient(kgo.SeedBrokers(r.Brokers()...), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("kept")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	var got string
	for got == "" && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got = string(r.Value) })
	}
	if got != "kept" {
		t.Errorf("after a crash: got record %q, want kept", got)
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", r.Brokers()[0]); err == nil {
		conn.Close()
		t.Error("the broker still listens")
	}
	if _, err := os.Stat(r.dir); !os.IsNotExist(err) {
		t.Errorf("the data are left: %v", err)
	}
}
