package consumer

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// feed is a stream whose source is filled by hand instead of by a fetcher.
type feed struct {
	t      *testing.T
	stream *stream
	now    time.Time
	log    bytes.Buffer
}

func newFeed(t *testing.T, start int64) *feed {
	src := &source{topic: "predictions", quota: 1 << 20, data: make(chan struct{}, 1), room: make(chan struct{}, 1), next: start}
	d := batchDecoder{codecs: newCodecs(1 << 20), buffers: new(buffers), maxBytes: 1 << 20}
	return &feed{t: t, stream: newStream(src, start, d, new(Stats)), now: time.Unix(0, 0)}
}

// push queues what a fetch returned, cut into whole batches like the fetcher does.
func (f *feed) push(aborted []abortedTransaction, batches ...[]byte) {
	data := bytes.Join(batches, nil)
	next, _, _ := f.stream.source.position()
	whole, last := scan(data)
	if whole == 0 {
		whole = len(data)
	} else {
		next = last + 1
	}
	buf := f.stream.decoder.buffers.get(len(data))
	copy(buf.bytes, data)
	c := &chunk{next: next, data: buf.bytes[:whole], buffer: buf, aborted: aborted, highWater: 1000}
	if _, epoch, _ := f.stream.source.position(); !f.stream.source.push(c, epoch, next, 1000) {
		f.t.Fatal("push refused")
	}
}

// drain hands in everything there is and writes down what happens.
func (f *feed) drain() {
	for {
		_, before, _ := f.stream.source.position()
		ready, bad := f.stream.fill(f.now)
		if next, epoch, _ := f.stream.source.position(); epoch != before {
			fmt.Fprintf(&f.log, "seek %d\n", next)
		}
		if bad != nil {
			fmt.Fprintf(&f.log, "corrupt %d-%d: %s\n", bad.first, bad.last, bad.detail)
			continue
		}
		if !ready {
			fmt.Fprintf(&f.log, "empty, next %d", f.stream.next)
			if !f.stream.resumeAt.IsZero() {
				fmt.Fprintf(&f.log, ", again in %v", f.stream.resumeAt.Sub(f.now))
			}
			fmt.Fprintln(&f.log)
			return
		}
		for _, r := range f.stream.records {
			fmt.Fprintf(&f.log, "record %d %s\n", r.Offset, r.Value)
		}
		f.stream.handed(len(f.stream.records))
	}
}

func (f *feed) note(format string, args ...any) { fmt.Fprintf(&f.log, "# "+format+"\n", args...) }

func TestStream(t *testing.T) {
	two := func(base, producer int64) batchSpec {
		return batchSpec{base: base, producer: producer, records: numbered(2)}
	}
	transactional := func(base, producer int64) []byte {
		s := two(base, producer)
		s.attributes = attrTransactional
		return s.build(t)
	}
	flipped := func(base int64) []byte {
		raw := two(base, -1).build(t)
		raw[70] ^= 1
		return raw
	}
	plain := func(base int64) []byte { return two(base, -1).build(t) }
	for name, run := range map[string]func(f *feed){
		"transactions": func(f *feed) {
			f.note("producer 1 aborts, 2 commits, between them records of no transaction")
			f.push([]abortedTransaction{{producer: 1, first: 0}},
				transactional(0, 1), transactional(2, 2), plain(4), transactional(6, 1), marker(t, 8, 1, controlAbort), marker(t, 9, 2, controlCommit))
			f.drain()
			f.note("after its marker, producer 1 is heard again")
			f.push(nil, transactional(10, 1), marker(t, 12, 1, controlCommit))
			f.drain()
			f.note("two aborted transactions of one producer in one fetch, and one fetched from its middle on")
			f.push([]abortedTransaction{{producer: 1, first: 3}, {producer: 1, first: 17}},
				transactional(13, 1), marker(t, 15, 1, controlAbort), plain(16), transactional(18, 1), marker(t, 20, 1, controlAbort), transactional(21, 1))
			f.drain()
		},
		"control": func(f *feed) {
			f.push(nil, marker(t, 0, 5, controlCommit), plain(1), marker(t, 3, 5, controlCommit))
			f.drain()
		},
		"gaps and seeks": func(f *feed) {
			f.note("compaction left 11 and 14 of 10 to 19, and emptied 20 to 29")
			f.push(nil, batchSpec{base: 10, deltas: []int32{1, 4}, last: 9, records: numbered(2)}.build(t), batchSpec{base: 20, last: 9}.build(t), plain(40))
			f.drain()
			f.note("a fetch returns the batch around the offset wanted, from its start")
			f.stream.source.seek(41)
			f.push(nil, plain(40), plain(42))
			f.drain()
			f.note("the state's own offset lies within a batch")
			f.stream.next = 51
			f.stream.source.seek(51)
			f.push(nil, plain(50))
			f.drain()
			f.note("the offset wanted was gone: reading goes on where the broker begins")
			f.stream.source.seek(Earliest)
			_, epoch, _ := f.stream.source.position()
			f.stream.source.locate(epoch, 3)
			f.push(nil, plain(4))
			f.drain()
		},
		"damaged on the way": func(f *feed) {
			f.push(nil, plain(0), flipped(2), plain(4))
			f.drain()
			f.now = f.now.Add(refetchPause)
			f.drain()
			f.note("the second fetch is good")
			f.push(nil, plain(2), plain(4))
			f.drain()
		},
		"damaged on disk": func(f *feed) {
			for range refetches {
				f.push(nil, flipped(2), plain(4))
				f.drain()
				f.now = f.now.Add(time.Second)
				f.drain()
			}
			f.push(nil, flipped(2), plain(4))
			f.drain()
			f.note("behind it")
			f.push(nil, plain(4))
			f.drain()
		},
		"not readable": func(f *feed) {
			f.note("bytes that are no gzip, under a right checksum")
			bad := two(2, -1)
			bad.attributes = codecGzip
			f.push(nil, plain(0), bad.build(t), plain(4))
			f.drain()
			f.note("a batch of format 1")
			old := plain(6)
			old[16] = 1
			f.push(nil, old, plain(8))
			f.drain()
			f.push(nil, plain(8))
			f.drain()
			f.note("a length that cannot be")
			cut := plain(10)
			cut[8] = 0x7f
			f.push(nil, cut, plain(12))
			f.drain()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(t, 0)
			run(f)
			golden(t, strings.ReplaceAll(name, " ", "_"), f.log.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "stream", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%swant\n%s", file, got, want)
	}
}

// The worker loop of a long run: batches are decoded and handed in without an
// allocation for each record or batch.
func TestStreamAllocations(t *testing.T) {
	f := newFeed(t, 0)
	const batches = 50
	var set [][]byte
	for i := range batches {
		set = append(set, batchSpec{base: int64(i * 100), records: numbered(100), codec: int16(i % 5)}.build(t))
	}
	data := bytes.Join(set, nil)
	total := 0
	allocs := testing.AllocsPerRun(20, func() {
		f.stream.next = 0
		f.stream.source.queue = append(f.stream.source.queue[:0], &chunk{data: data})
		f.stream.source.bytes += len(data)
		for {
			ready, bad := f.stream.fill(f.now)
			if bad != nil {
				t.Fatal(bad.detail)
			}
			if !ready {
				break
			}
			total += len(f.stream.records)
			f.stream.handed(len(f.stream.records))
		}
	})
	if total != 21*batches*100 {
		t.Errorf("records: got %d, want %d", total, 21*batches*100)
	}
	if allocs > 10 && !raceDetector {
		t.Errorf("got %.0f allocations for %d batches, want at most 10", allocs, batches)
	}
}

func BenchmarkStream(b *testing.B) {
	for _, per := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", per), func(b *testing.B) {
			f := newFeed(nil, 0)
			records := slices.Repeat([]Record{{Key: make([]byte, 16), Value: make([]byte, 180)}}, per)
			var data []byte
			n := 0
			for ; len(data) < 1<<20; n += per {
				data = append(data, batchSpec{base: int64(n), records: records}.build(b)...)
			}
			b.ReportAllocs()
			for b.Loop() {
				f.stream.next = 0
				f.stream.source.queue = append(f.stream.source.queue[:0], &chunk{data: data})
				for {
					if ready, _ := f.stream.fill(f.now); !ready {
						break
					}
					f.stream.handed(len(f.stream.records))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
		})
	}
}
