package durable_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/internal/durable"
)

// A directory of another format is refused: a newer one is for the program that
// wrote it, and an older one there is none.
func TestOtherFormatsAreRefused(t *testing.T) {
	for _, tc := range []struct {
		format uint32
		want   error
	}{{2, durable.ErrVersion}, {1000, durable.ErrVersion}, {0, durable.ErrDamaged}} {
		mem := vfs.NewMem()
		db, err := durable.Open("state", durable.Options{FS: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(durable.SetFormat(db, tc.format), db.Close()); err != nil {
			t.Fatal(err)
		}
		db, err = durable.Open("state", durable.Options{FS: mem})
		if err == nil {
			t.Errorf("format %d: opened", tc.format)
			_ = db.Close()
			continue
		}
		checkLine(t, fmt.Sprint(tc.format), err, tc.want)
		if want := fmt.Sprintf("format version %d", tc.format); !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

// Two processes never share the directory of all partitions.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	l, err := durable.Lock(dir, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := durable.Lock(dir, durable.Options{}); !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second Lock: %v, want ErrLocked with the directory", err)
	}
	db, err := durable.Open(dir+"/partition", durable.Options{})
	if err != nil {
		t.Fatalf("a partition in a locked directory: %v", err)
	}
	if err := errors.Join(db.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if l, err = durable.Lock(dir, durable.Options{}); err != nil {
		t.Fatalf("Lock after Close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
