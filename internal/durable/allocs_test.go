//go:build !race

package durable_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/durable"
)

// TestRowsDoNotAllocate: what a commit of some thousand rows allocates is for
// the commit, for growth of the index, and for tables that Pebble writes
// meanwhile, and not for each row.
func TestRowsDoNotAllocate(t *testing.T) {
	db, err := durable.Open("state", durable.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l := newLoad()
	l.recent = 2000 // in memory still
	var row join.Row
	const rows = 5000
	one := func() {
		for range rows {
			l.one(db, &row)
		}
		if err := db.Commit(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 60 {
		one()
	}
	if perRow := testing.AllocsPerRun(10, one) / rows; perRow > 0.2 {
		t.Errorf("%.3f allocations a row, want below 0.2", perRow)
	}
}
