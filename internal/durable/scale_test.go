package durable_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// BenchmarkScale fills a directory with so many winners and prints what they
// take on disk and in memory, how long a look-up of a random old one takes at
// the median, and how long the directory takes to open. It needs some 120 bytes
// of disk a winner, for minutes.
func BenchmarkScale(b *testing.B) {
	for _, scale := range []struct {
		name string
		rows uint64
	}{{"rows=1000000", 1_000_000}, {"rows=10000000", 10_000_000}} {
		b.Run(scale.name, func(b *testing.B) {
			for range b.N {
				benchScale(b, scale.rows)
			}
		})
	}
}

func benchScale(b *testing.B, rows uint64) {
	dir := b.TempDir()
	db := openBench(b, dir)
	l := newLoad()
	l.convertOf = 0
	var row join.Row
	for n := range rows {
		l.one(db, &row)
		if (n+1)%l.commitRows == 0 {
			if err := db.Commit(nil, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	settle(b, db)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	db = openBench(b, dir)
	opened := time.Since(start)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	took := make([]time.Duration, 20_000)
	for i := range took {
		id := mix(mix(uint64(i)).Hi % rows)
		start := time.Now()
		if !db.Get(id, &row) {
			b.Fatal("a row is gone")
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(db.DiskBytes())/float64(rows), "disk-B/row")
	b.ReportMetric(float64(db.Bytes())/float64(rows), "memory-B/row")
	b.ReportMetric(float64(m.HeapAlloc)/float64(rows), "heap-B/row")
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "median-us/Get")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-us/Get")
	b.ReportMetric(float64(opened.Milliseconds()), "open-ms")
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
