package faultsim

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// arrival is a record on its way to its topic.
type arrival struct {
	ms        int64 // by the clock
	partition int32
	stream    event.Stream
	timeMs    int64
	key       string
	value     []byte
}

// log is one partition of one topic.
type log struct {
	records []consumer.Record
	end     int64 // the offset that the next record would get
}

// at is the place of the first record at or behind an offset.
func (l *log) at(offset int64) int {
	return sort.Search(len(l.records), func(i int) bool { return l.records[i].Offset >= offset })
}

// arrivals puts the messages in the order in which they reach the topics: most
// soon after their event, some much later, some twice.
func arrivals(rng *rand.Rand, messages []proto.Message, partitions int, latest time.Duration, f *Faults) ([]arrival, error) {
	var out []arrival
	shuffle := rng.IntN(8) == 0
	for _, m := range messages {
		a, err := newArrival(m, partitions)
		if err != nil {
			return nil, err
		}
		times := 1
		if rng.IntN(5) == 0 {
			times += 1 + rng.IntN(2)
			f[Duplicate] += int64(times - 1)
		}
		for range times {
			a.ms = a.timeMs + delay(rng, latest).Milliseconds()
			if shuffle {
				a.ms = a.timeMs + rng.Int64N(latest.Milliseconds())
			}
			if a.ms-a.timeMs > 86_400_000 {
				f[DaysLate]++
			}
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return cmp.Compare(a.ms, b.ms) })
	newest := int64(0)
	for i := range out {
		if out[i].timeMs < newest {
			f[Disorder]++
		}
		newest = max(newest, out[i].timeMs)
	}
	return out, nil
}

func delay(rng *rand.Rand, latest time.Duration) time.Duration {
	most := time.Second
	switch n := rng.IntN(20); {
	case n == 0:
		most = latest
	case n < 3:
		most = 26 * time.Hour
	case n < 6:
		most = time.Hour
	case n < 12:
		most = time.Minute
	}
	return time.Duration(rng.Int64N(int64(min(most, latest))))
}

func newArrival(m proto.Message, partitions int) (arrival, error) {
	var a arrival
	switch m := m.(type) {
	case *eventpb.Prediction:
		a.stream, a.key, a.timeMs = event.Predictions, m.AuctionId, m.EventTimeMs
	case *eventpb.Impression:
		a.stream, a.key, a.timeMs = event.Impressions, m.AuctionId, m.EventTimeMs
	case *eventpb.Conversion:
		a.stream, a.key, a.timeMs = event.Conversions, m.AuctionId, m.EventTimeMs
	}
	h := fnv.New32a()
	h.Write([]byte(a.key))
	a.partition = int32(h.Sum32() % uint32(partitions))
	var err error
	if a.value, err = proto.Marshal(m); err != nil {
		return a, fmt.Errorf("record of %s: %w", a.key, err)
	}
	return a, nil
}

// produce lets the next n records reach their topics.
func (w *world) produce(n int) {
	for ; n > 0 && len(w.coming) > 0; n-- {
		a := &w.coming[0]
		w.coming = w.coming[1:]
		w.nowMs = max(w.nowMs, a.ms)
		l := &w.logs[a.partition][a.stream]
		if w.chance(w.gaps) {
			l.end += 1 + w.rng.Int64N(4)
			w.faults[CompactedGap]++
		}
		l.records = append(l.records, consumer.Record{Offset: l.end, TimestampMs: a.timeMs, Key: []byte(a.key), Value: a.value})
		l.end++
		if w.chance(w.gaps / 2) {
			l.end++
			w.faults[ControlGap]++
		}
	}
}
