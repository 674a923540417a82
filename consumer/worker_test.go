package consumer

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Large batches are taken in turns as well: no stream runs far ahead of the
// others in event time.
func TestEventTimeOrderWithinBatches(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		const n, apartMs = 400, 3000
		for s := range event.NumStreams {
			var values []string
			for i := range n {
				values = append(values, fmt.Sprintf("%d,%s", apartMs*i+int(s), s))
			}
			w.produce(p, s.String(), 0, values...)
		}
		c := w.run(w.options())
		c.caughtUp()
		var at [event.NumStreams]int64
		for _, line := range w.parts[0].order {
			var ms int64
			s := slices.IndexFunc(topicNames, func(topic string) bool {
				_, err := fmt.Sscanf(line, topic+":%d,", &ms)
				return err == nil
			})
			if s < 0 {
				t.Fatalf("not of a stream: %q", line)
			}
			at[s] = ms
			if behind := slices.Min(at[:]); ms-behind > aheadMs+2*apartMs {
				t.Fatalf("%s: handed in while another stream was at %d ms", line, behind)
			}
		}
		if got := len(w.parts[0].order); got != n*int(event.NumStreams) {
			t.Errorf("handed in: %d records, want %d", got, n*int(event.NumStreams))
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestShare(t *testing.T) {
	at := func(times ...int64) *stream {
		s := &stream{}
		for _, ms := range times {
			s.records = append(s.records, Record{Value: binary.LittleEndian.AppendUint64(nil, uint64(ms))})
		}
		if len(times) > 0 {
			s.headMs = times[0]
		}
		return s
	}
	for _, tc := range []struct {
		name          string
		first, second *stream
		want          int
	}{
		{"nothing else", at(0, 1e6, 2e6), at(), 3},
		{"one record", at(1e9), at(0), 1},
		{"all before the other", at(0, 1, 2), at(3), 3},
		{"all within reach", at(0, 1, aheadMs), at(0), 3},
		{"the last one beyond", at(0, 1, aheadMs+1), at(0), 2},
		{"all beyond but the first", at(0, 1e6, 2e6, 3e6), at(5), 1},
		{"half", at(0, 1e6, 2e6, 3e6, 4e6, 5e6), at(2e6), 3},
		{"more than a call", at(make([]int64, 3000)...), at(0), recordsPerCall},
	} {
		w := &worker{handler: quick{}, streams: [event.NumStreams]*stream{tc.first, at(), tc.second}}
		if got := w.share(0); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}

// quick is a handler that takes no time.
type quick struct{ Handler }

func (quick) EventTimeMs(_ event.Stream, v []byte) (int64, bool) {
	return int64(binary.LittleEndian.Uint64(v)), true
}
func (quick) Handle(event.Stream, []Record) error { return nil }
func (quick) Advance(event.Stream, int64)         {}
func (quick) Commit(context.Context) error        { return nil }
func (quick) Unfinished() bool                    { return false }

// BenchmarkHand hands a batch of 1,024 records in, beside a stream whose head
// is far ahead, or so near that the batch is cut.
func BenchmarkHand(b *testing.B) {
	for _, perSecond := range []int64{math.MaxInt32, 100, 10} {
		b.Run(fmt.Sprintf("recordspersecond=%d", perSecond), func(b *testing.B) {
			records := make([]Record, recordsPerCall)
			for i := range records {
				records[i].Offset = int64(i)
				records[i].Value = binary.LittleEndian.AppendUint64(nil, uint64(int64(i)*1000/perSecond))
			}
			other := &stream{records: records[:1]}
			w := &worker{handler: quick{}, stats: new(Stats), streams: [event.NumStreams]*stream{{last: recordsPerCall}, {}, other}}
			s := w.streams[0]
			b.ReportAllocs()
			for b.Loop() {
				s.records, other.headMs = records, 0
				for len(s.records) > 0 {
					if err := w.hand(0); err != nil {
						b.Fatal(err)
					}
					other.headMs = s.headMs
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/recordsPerCall, "ns/record")
		})
	}
}
