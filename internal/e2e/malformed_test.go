package e2e

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

const (
	malformedCount = 5000
	malformedKinds = 15
)

// badClock is the clock for which the malformed records are malformed.
func badClock() time.Time { return time.UnixMilli(eventtest.NowMs) }

// malformed returns bad records of one format.
func malformed(t *testing.T, f event.Format) []eventtest.Bad {
	t.Helper()
	var out []eventtest.Bad
	kinds := map[string]bool{}
	for _, b := range eventtest.Malformed(7, 4*malformedCount) {
		if b.Format == f && len(out) < malformedCount {
			out = append(out, b)
			kinds[b.Kind] = true
		}
	}
	if len(out) < malformedCount || len(kinds) < malformedKinds {
		t.Fatalf("got %d malformed records of %d kinds, want %d of at least %d", len(out), len(kinds), malformedCount, malformedKinds)
	}
	t.Logf("%d records of %d kinds", len(out), len(kinds))
	return out
}

// goodRecords are a short ramp that ends at badClock.
func goodRecords(t *testing.T) []record {
	t.Helper()
	o := simulate.DefaultOptions()
	o.AuctionsPerSecond = 5
	o.Start = badClock().Add(-30 * time.Minute)
	o.Steps = []simulate.Step{{TreatmentPercent: 20, Duration: 3 * time.Minute}, {TreatmentPercent: 70, Duration: 3 * time.Minute}}
	var messages []proto.Message
	simulate.New(o).Run(func(e simulate.Event) bool {
		messages = append(messages, e.Message)
		return true
	})
	return newRecords(t, messages)
}

// mixed puts the bad records at random places among the good ones, and says
// which of the result are bad.
func mixed(rng *rand.Rand, good []record, bad []eventtest.Bad) (records []record, isBad []*eventtest.Bad) {
	places := make(map[int][]*eventtest.Bad)
	for i := range bad {
		at := rng.IntN(len(good) + 1)
		places[at] = append(places[at], &bad[i])
	}
	for i := range len(good) + 1 {
		for _, b := range places[i] {
			r := record{stream: b.Stream, key: string(b.Key), timeMs: eventtest.NowMs}
			r.value[b.Format] = b.Value
			records, isBad = append(records, r), append(isBad, b)
		}
		if i < len(good) {
			records, isBad = append(records, good[i]), append(isBad, nil)
		}
	}
	return records, isBad
}

// deadLetters reads n dead letters back.
func deadLetters(t *testing.T, cfg config.Config, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Kafka.Brokers...), kgo.ConsumeTopics(cfg.Topics.DeadLetters.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []*kgo.Record
	for len(out) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("got %d dead letters, want %d", len(out), n)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func headersOf(r *kgo.Record) map[string]string {
	out := map[string]string{}
	for _, h := range r.Headers {
		out[h.Key] = string(h.Value)
	}
	return out
}

// TestMalformedRecords mixes 5,000 bad records into a good workload: each is
// counted and in the dead letters, and no other number changes.
func TestMalformedRecords(t *testing.T) {
	good := goodRecords(t)
	for _, f := range []event.Format{event.Protobuf, event.JSON} {
		t.Run(f.String(), func(t *testing.T) {
			clean := startBroker(t, f)
			produceRecords(t, clean, good)
			s := startService(t, clean, badClock)
			s.caughtUp()
			path := summaryPath("l1-cvr-v2", "surface")
			want := s.get(path)

			bad := malformed(t, f)
			records, isBad := mixed(rand.New(rand.NewPCG(8, 8)), good, bad)
			dirty := startBroker(t, f)
			places := produceRecords(t, dirty, records)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s = startService(t, dirty, badClock)
			st := s.caughtUp()
			runtime.ReadMemStats(&after)
			if grown := int64(after.Sys) - int64(before.Sys); grown > 256<<20 {
				t.Errorf("memory grew by %d MiB: some length in a bad record was believed", grown>>20)
			}
			if got := s.get(path); !bytes.Equal(got, want) {
				t.Errorf("the numbers are not those of the clean run: %s", worlds.FirstDifference(string(got), string(want)))
			}
			checkDeadCounts(t, st, bad)
			checkDeadLetters(t, dirty, deadLetters(t, dirty, len(bad)), records, places, isBad)
		})
	}
}

// checkDeadCounts compares what the status says with what was sent.
func checkDeadCounts(t *testing.T, st status, bad []eventtest.Bad) {
	t.Helper()
	want := map[string]map[string]int64{}
	for _, b := range bad {
		if want[b.Stream.String()] == nil {
			want[b.Stream.String()] = map[string]int64{}
		}
		want[b.Stream.String()][b.Reason.String()]++
	}
	for stream, reasons := range want {
		var dead int64
		for reason, n := range reasons {
			dead += n
			if got := st.Records[stream].DeadBy[reason]; got != n {
				t.Errorf("%s dead by %s: got %d, want %d", stream, reason, got, n)
			}
		}
		if got := st.Records[stream].Dead; got != dead {
			t.Errorf("%s dead: got %d, want %d", stream, got, dead)
		}
	}
}

// checkDeadLetters finds for every bad record exactly one letter that names
// its place and holds its bytes.
func checkDeadLetters(t *testing.T, cfg config.Config, letters []*kgo.Record, records []record, places []produced, isBad []*eventtest.Bad) {
	t.Helper()
	byPlace := map[string]*kgo.Record{}
	for _, l := range letters {
		h := headersOf(l)
		place := fmt.Sprintf("%s/%s@%s", h["topic"], h["partition"], h["offset"])
		if byPlace[place] != nil {
			t.Errorf("two letters for %s", place)
		}
		byPlace[place] = l
	}
	for i, b := range isBad {
		if b == nil {
			continue
		}
		p := places[i]
		place := fmt.Sprintf("%s/%d@%d", cfg.Topics.Input(p.stream).Name, p.partition, p.offset)
		l := byPlace[place]
		if l == nil {
			t.Errorf("%s at %s: no letter", b.Kind, place)
			continue
		}
		delete(byPlace, place)
		if h := headersOf(l); h["reason"] != b.Reason.String() {
			t.Errorf("%s at %s: got reason %q, want %q", b.Kind, place, h["reason"], b.Reason)
		}
		if string(l.Key) != records[i].key || !bytes.Equal(l.Value, b.Value) {
			t.Errorf("%s at %s: the letter does not hold the record's bytes", b.Kind, place)
		}
	}
	for place := range byPlace {
		t.Errorf("%s: a letter about a good record", place)
	}
}

// TestCorruptGzipBatch puts a batch on the broker whose checksum is right and
// whose gzip stream is not: one letter for the whole batch, and all records
// around it count.
func TestCorruptGzipBatch(t *testing.T) {
	good := goodRecords(t)
	clean := startBroker(t, event.Protobuf)
	produceRecords(t, clean, good)
	s := startService(t, clean, badClock)
	s.caughtUp()
	path := summaryPath("l1-cvr-v2", "surface")
	want := s.get(path)

	dirty := startBroker(t, event.Protobuf)
	produceRecords(t, dirty, good[:len(good)/2])
	const lost = 5
	base := produceCorruptBatch(t, dirty, dirty.Topics.Predictions.Name, 1, lost)
	produceRecords(t, dirty, good[len(good)/2:])
	s = startService(t, dirty, badClock)
	st := s.caughtUp()
	if got := s.get(path); !bytes.Equal(got, want) {
		t.Errorf("the numbers are not those of the clean run: %s", worlds.FirstDifference(string(got), string(want)))
	}
	if got := st.Records["predictions"].DeadBy[event.ReasonCorruptBatch.String()]; got != 1 {
		t.Errorf("corrupt batches counted: got %d, want 1", got)
	}
	h := headersOf(deadLetters(t, dirty, 1)[0])
	for key, want := range map[string]string{
		"reason": event.ReasonCorruptBatch.String(), "topic": dirty.Topics.Predictions.Name, "partition": "1",
		"offset": strconv.FormatInt(base, 10), "last_offset": strconv.FormatInt(base+lost-1, 10),
	} {
		if h[key] != want {
			t.Errorf("letter: %s: got %q, want %q", key, h[key], want)
		}
	}
}

// produceCorruptBatch writes n records as one batch that no client would make,
// and returns its first offset.
func produceCorruptBatch(t *testing.T, cfg config.Config, topic string, partition int32, n int) int64 {
	t.Helper()
	const gzip, beforeRecords = 1, 49
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: gzip, LastOffsetDelta: int32(n - 1),
		FirstTimestamp: eventtest.NowMs, MaxTimestamp: eventtest.NowMs,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(n),
		// A gzip header, then what is no deflate stream.
		Records: append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, bytes.Repeat([]byte{0xff}, 40)...),
	}
	batch.Length = int32(beforeRecords + len(batch.Records))
	raw := batch.AppendTo(nil)
	const checksumAt = 17
	batch.CRC = int32(crc32.Checksum(raw[checksumAt+4:], crc32.MakeTable(crc32.Castagnoli)))
	raw = batch.AppendTo(nil)

	// Newer produce requests name topics by number instead.
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Kafka.Brokers...), kgo.MaxVersions(kversion.V3_6_0()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Partition, rp.Records = partition, raw
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	rt.Partitions = append(rt.Partitions, rp)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	p := res.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		t.Fatalf("the broker refused the batch with code %d", p.ErrorCode)
	}
	return p.BaseOffset
}
