package durable_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/internal/durable"
)

// TestCopiesFollowChanges: what a copy has that the one before has not is as
// much as was changed in between, however large the state is, merges of tables
// and logs that are written over included.
func TestCopiesFollowChanges(t *testing.T) {
	const rounds, change = 40, 100
	sent := func(rows int) (bytes int64) {
		fs := vfs.NewMem()
		db := openMem(t, durable.Options{FS: fs, WriteBytes: 1 << 18})
		r := rand.New(rand.NewPCG(9, 9))
		put := func(from, to int) {
			for n := from; n < to; n++ {
				db.Put(makeRow(r, mix(uint64(n)), 1), int64(n%3)*hour)
				if n%500 == 0 {
					commit(t, db)
				}
			}
			commit(t, db)
		}
		put(0, rows)
		had := map[string]bool{}
		for k := range rounds {
			put(rows+k*change, rows+(k+1)*change)
			dir := fmt.Sprint("copy-", k)
			if err := db.Checkpoint(dir); err != nil {
				t.Fatal(err)
			}
			names, err := fs.List(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				info, err := fs.Stat(fs.PathJoin(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(name, ".log") && info.Size() > 0 {
					t.Errorf("%s/%s has %d bytes, and all in it has been flushed", dir, name, info.Size())
				}
				if strings.HasSuffix(name, ".sst") && !had[name] && k > rounds/4 { // what the load has left is merged by then
					bytes += info.Size()
				}
				had[name] = true
			}
		}
		return bytes
	}
	small, large := sent(2_000), sent(32_000)
	t.Logf("%d bytes with a small state, %d with one 16 times as large", small, large)
	if large > 3*small/2 {
		t.Errorf("copies have %d new bytes with a large state, %d with a small one", large, small)
	}
}
