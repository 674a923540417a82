package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/durable"
)

func openMem(t *testing.T, o durable.Options) *durable.DB {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	db, err := durable.Open("state", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func commit(t *testing.T, db *durable.DB) {
	t.Helper()
	if err := db.Commit([]byte("meta"), nil); err != nil {
		t.Fatal(err)
	}
}

// TestDiskShrinks: buckets that are dropped give back their disk and their
// memory, and what stays can be read.
func TestDiskShrinks(t *testing.T) {
	db := openMem(t, durable.Options{WriteBytes: 1 << 18, MemoryBytes: 1 << 16})
	r := rand.New(rand.NewPCG(5, 5))
	const hours, perHour = 20, 3000
	for h := range hours {
		for k := range perHour {
			db.Put(makeRow(r, mix(uint64(h*perHour+k)), 0), int64(h)*hour)
			if k%500 == 0 {
				commit(t, db)
			}
		}
	}
	commit(t, db)
	if err := durable.Settle(db); err != nil {
		t.Fatal(err)
	}
	diskBefore, memoryBefore := db.DiskBytes(), db.Bytes()
	db.Evict((hours-2)*hour, 1<<30)
	var row join.Row
	for n := range uint64(hours * perHour) {
		if got, want := db.Get(mix(n), &row), n >= (hours-2)*perHour; got != want {
			t.Fatalf("before the commit: row %d of hour %d: Get = %v", n, n/perHour, got)
		}
	}
	commit(t, db)
	if err := durable.Settle(db); err != nil {
		t.Fatal(err)
	}
	disk, memory := db.DiskBytes(), db.Bytes()
	t.Logf("disk %d -> %d bytes, memory %d -> %d", diskBefore, disk, memoryBefore, memory)
	if disk > diskBefore/4 {
		t.Errorf("with a tenth of its rows the state takes %d bytes, before %d", disk, diskBefore)
	}
	if memory > memoryBefore/2 {
		t.Errorf("with a tenth of its rows the state takes %d bytes of memory, before %d", memory, memoryBefore)
	}
	if err := db.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestRowsThatChangeTakeNoMore: what is stored is less than twice what there is,
// however often rows change and however few a commit has.
func TestRowsThatChangeTakeNoMore(t *testing.T) {
	for _, perCommit := range []int{1, 7, 300} {
		fs := vfs.NewMem()
		db := openMem(t, durable.Options{FS: fs, WriteBytes: 1 << 18})
		r := rand.New(rand.NewPCG(6, 6))
		const rows = 2000
		for n := range 20 * rows {
			id := uint64(n)
			if n >= rows {
				id = r.Uint64N(rows)
			}
			db.Put(makeRow(r, mix(id), 0), 1000)
			if n%perCommit == 0 {
				commit(t, db)
			}
		}
		commit(t, db)
		for _, again := range []bool{false, true} {
			chunks, stored := durable.Stored(db)
			t.Logf("%d a commit, opened again %v: %d rows stored in %d chunks", perCommit, again, stored, chunks)
			if stored < rows || stored > 5*rows/2 || chunks > 2*stored/32+20 {
				t.Errorf("%d a commit, opened again %v: %d rows stored in %d chunks, there are %d", perCommit, again, stored, chunks, rows)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = openMem(t, durable.Options{FS: fs, WriteBytes: 1 << 18})
		}
	}
}

// TestCheckpoint: a copy is the state as of the commit before, opens by itself,
// and shares its tables with the state and with the next copy.
func TestCheckpoint(t *testing.T) {
	fs := vfs.NewMem()
	db := openMem(t, durable.Options{FS: fs})
	r := rand.New(rand.NewPCG(7, 7))
	put := func(from, to int) {
		for n := from; n < to; n++ {
			db.Put(makeRow(r, mix(uint64(n)), 1), hour)
		}
	}
	put(0, 5000)
	commit(t, db)
	put(5000, 5100) // not committed
	if err := db.Checkpoint("one"); err != nil {
		t.Fatal(err)
	}
	commit(t, db)
	if err := db.Checkpoint("two"); err != nil {
		t.Fatal(err)
	}
	tables := func(dir string) (names []string) {
		all, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range all {
			if strings.HasSuffix(name, ".sst") {
				names = append(names, name)
			}
		}
		return names
	}
	for _, name := range tables("one") {
		if !slices.Contains(tables("state"), name) {
			t.Errorf("table %s of the first copy is not the state's", name)
		}
	}
	for _, tc := range []struct {
		dir  string
		rows int
	}{{"one", 5000}, {"two", 5100}} {
		copied, err := durable.Open(tc.dir, durable.Options{FS: fs})
		if err != nil {
			t.Fatalf("%s: %v", tc.dir, err)
		}
		var a, b join.Row
		for n := range uint64(5100) {
			if got := copied.Get(mix(n), &a); got != (n < uint64(tc.rows)) {
				t.Fatalf("%s: row %d: Get = %v", tc.dir, n, got)
			} else if got && (!db.Get(mix(n), &b) || !bytes.Equal(join.AppendRow(nil, &a), join.AppendRow(nil, &b))) {
				t.Fatalf("%s: row %d differs", tc.dir, n)
			}
		}
		if got := string(copied.Meta()); got != "meta" {
			t.Errorf("%s: Meta = %q", tc.dir, got)
		}
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Checkpoint("two"); err == nil {
		t.Error("a copy over another one")
	}
	if err := db.Err(); err != nil {
		t.Errorf("a directory that is there is no fault of the state: %v", err)
	}
	commit(t, db)
}

// TestEvictedMsSurvives, with the commit and not before.
func TestEvictedMsSurvives(t *testing.T) {
	fs := vfs.NewMem()
	db := openMem(t, durable.Options{FS: fs})
	db.Put(makeRow(rand.New(rand.NewPCG(1, 1)), mix(1), 0), 0)
	commit(t, db)
	reopen := func() {
		t.Helper()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = openMem(t, durable.Options{FS: fs, BucketMs: 1000}) // it stays an hour
	}
	db.Evict(5*hour+1, 0)
	reopen()
	if got := db.EvictedMs(); got != 0 {
		t.Errorf("not committed: EvictedMs = %d, want 0", got)
	}
	db.Evict(5*hour+1, 0)
	commit(t, db)
	reopen()
	if got := db.EvictedMs(); got != 5*hour {
		t.Errorf("EvictedMs = %d, want %d", got, 5*hour)
	}
	var row join.Row
	if db.Get(mix(1), &row) {
		t.Error("a row that was dropped is back")
	}
}

// TestDirectoryRemoved: whoever deletes the directory of a running state stops
// it with an error.
func TestDirectoryRemoved(t *testing.T) {
	fs := vfs.NewMem()
	db := openMem(t, durable.Options{FS: fs, WriteBytes: 1 << 15})
	commit(t, db)
	if err := fs.RemoveAll("state"); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var err error
	for n := uint64(0); n < 100_000 && err == nil; n++ {
		db.Put(makeRow(r, mix(n), 0), 0)
		if n%100 == 0 {
			err = db.Commit(nil, nil)
		}
	}
	if !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("error %v, want ErrDamaged", err)
	}
	_ = fmt.Sprint(db.DiskBytes())
}
