package durable_test

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/durable"
)

// load makes rows as a partition does that has so many winners a second: each
// is looked for, in vain, and put; some are late; some get a conversion later.
type load struct {
	row        join.Row
	n          uint64
	ms         int64 // event time of the newest row
	perSecond  int64
	lateOf     uint64 // one of so many is late, by up to 20 hours; 0: none
	convertOf  uint64 // one of so many gets a conversion; 0: none
	recent     uint64 // and is one of the last so many
	commitRows uint64
}

func newLoad() *load {
	return &load{
		row: *makeRow(rand.New(rand.NewPCG(1, 2)), join.ID{}, 0), ms: 1_790_000_000_000,
		perSecond: 2000, lateOf: 100, convertOf: 20, recent: 600_000, commitRows: 10_000,
	}
}

// mix makes an id of a number, so that old ones can be named again.
func mix(n uint64) join.ID {
	f := func(z uint64) uint64 {
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	return join.ID{Hi: f(n * 0x9e3779b97f4a7c15), Lo: f(n*0x9e3779b97f4a7c15 + 0x1234567)}
}

// one hands the next row to a store.
func (l *load) one(s join.Store, scratch *join.Row) {
	id := mix(l.n)
	l.n++
	ms := l.ms + int64(l.n)*1000/l.perSecond
	if l.lateOf != 0 && id.Hi%l.lateOf == 0 {
		ms -= int64(id.Lo % (20 * hour))
	}
	if s.Get(id, scratch) {
		panic("a new id is known")
	}
	l.row.ID, l.row.Auction = id, join.ID{Hi: id.Lo, Lo: id.Hi}
	l.row.Item, l.row.Winner.UnitID = id.Hi>>32, id.Lo
	l.row.Winner.Prediction, l.row.Winner.Reference, l.row.Winner.TimeMs = float32(id.Hi>>40), float32(id.Lo>>40), ms
	l.row.State = join.HasImpression | join.HasWinner
	l.row.Conversions = l.row.Conversions[:0]
	s.Put(&l.row, ms)
	if l.convertOf != 0 && id.Lo%l.convertOf == 0 {
		old := mix(l.n - 1 - id.Hi%min(l.n, l.recent))
		if !s.Get(old, scratch) {
			panic("an old id is not known")
		}
		scratch.Conversions = append(scratch.Conversions, join.Conversion{ID: id, TimeMs: ms, Value: 1000, State: join.Seen | join.Counted})
		s.Put(scratch, ms)
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCommit prints the CPU time of the whole process for each row of two
// million, flushes and compactions among it, beside that of a store in memory.
func BenchmarkCommit(b *testing.B) {
	const rows = 2_000_000
	report := func(b *testing.B, spent time.Duration) {
		b.ReportMetric(float64(spent)/float64(b.N)/rows, "cpu-ns/row")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("store=memory", func(b *testing.B) {
		for range b.N {
			before, l, s := cpu(), newLoad(), join.NewMemStore()
			var scratch join.Row
			for range rows {
				l.one(s, &scratch)
			}
			report(b, cpu()-before)
		}
	})
	for _, commitRows := range []uint64{10_000, 1000} {
		b.Run("store=disk/commit="+map[uint64]string{10_000: "10000", 1000: "1000"}[commitRows], func(b *testing.B) {
			var spent, wall time.Duration
			var bytes int64
			for range b.N {
				db := openBench(b, b.TempDir())
				before, start, l := cpu(), time.Now(), newLoad()
				var scratch join.Row
				for range rows / commitRows {
					for range commitRows {
						l.one(db, &scratch)
					}
					if err := db.Commit(nil, nil); err != nil {
						b.Fatal(err)
					}
				}
				settle(b, db)
				spent += cpu() - before
				wall += time.Since(start)
				bytes = db.DiskBytes()
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
			report(b, spent)
			b.ReportMetric(float64(bytes)/rows, "disk-B/row")
			b.ReportMetric(float64(wall)/float64(b.N)/rows, "wall-ns/row")
		})
	}
}

func openBench(b *testing.B, dir string) *durable.DB {
	b.Helper()
	db, err := durable.Open(dir, durable.Options{MemoryBytes: 48 << 20})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// settle writes all to tables and waits until there is nothing to compact.
func settle(b *testing.B, db *durable.DB) {
	b.Helper()
	if err := durable.Settle(db); err != nil {
		b.Fatal(err)
	}
}
