package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
)

// A real database on a real disk, in a real bucket of files: what travels
// depends on what was written since, and a database of the restored directory
// has all of it.
func TestPebble(t *testing.T) {
	bucket, err := checkpoint.OpenBucket(t.Context(), "file://"+filepath.Join(t.TempDir(), "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := checkpoint.NewStore(bucket, checkpoint.DefaultOptions("g"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(dir string) *pebble.DB {
		db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	state := t.TempDir()
	db := open(state)
	rows, sequence := uint64(0), uint64(0)
	o := store.Owner(3, 1)
	// step writes n rows of 100 bytes in a synced batch and makes a checkpoint.
	step := func(n uint64) checkpoint.Uploaded {
		t.Helper()
		batch := db.NewBatch()
		for range n {
			rows++
			if err := batch.Set(key(rows), value(rows), nil); err != nil {
				t.Fatal(err)
			}
		}
		sequence++
		dir := filepath.Join(t.TempDir(), "snapshot")
		if err := errors.Join(batch.Commit(pebble.Sync), db.Checkpoint(dir)); err != nil {
			t.Fatal(err)
		}
		done, err := o.Upload(t.Context(), dir, sequence)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	step(1)
	if err := errors.Join(func() error { step(100_000); return nil }(), db.Flush(), db.Compact(t.Context(), key(0), key(rows), false)); err != nil {
		t.Fatal(err)
	}
	full := step(1) // all of it in new tables
	if full.Bytes < 10<<20 {
		t.Fatalf("a state of %d bytes is no test", full.Bytes)
	}
	for _, tc := range []struct {
		rows  uint64
		limit int64 // of bytes sent: what was written in whole parts of a log, and a manifest
	}{{1, 256<<10 + 15_000}, {1000, 512<<10 + 15_000}, {1, 256<<10 + 15_000}} {
		done := step(tc.rows)
		t.Logf("%d rows: %+v", tc.rows, done)
		if done.Sent > tc.limit {
			t.Errorf("%d rows: %+v, want at most %d bytes sent", tc.rows, done, tc.limit)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	o = store.Owner(3, 2)
	restored := filepath.Join(t.TempDir(), "restored")
	done, err := o.Restore(t.Context(), restored)
	if err != nil || done.Version != v(1, sequence) {
		t.Fatalf("%+v, %v", done, err)
	}
	db = open(restored)
	for i := uint64(1); i <= rows; i++ {
		got, closer, err := db.Get(key(i))
		if err != nil || string(got) != string(value(i)) {
			t.Fatalf("row %d: %x, %v", i, got, err)
		}
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The new owner goes on: what it has restored does not travel back.
	sequence = 0
	if done := step(1); done.Sent > 1<<20 {
		t.Errorf("after the move: %+v", done)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func key(i uint64) []byte { return binary.BigEndian.AppendUint64(nil, i) }

// value is a hundred bytes that do not compress well.
func value(i uint64) []byte {
	var b []byte
	for j := range uint64(13) {
		b = binary.LittleEndian.AppendUint64(b, (i*13+j)*0x9e3779b97f4a7c15)
	}
	return b
}

// quiet is a Pebble logger that says only what is fatal.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
