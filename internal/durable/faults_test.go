package durable_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/durable"
)

// isWrite reports whether an operation changes the disk.
func isWrite(op errorfs.OpKind) bool {
	switch op {
	case errorfs.OpCreate, errorfs.OpRename, errorfs.OpReuseForWrite, errorfs.OpFileWrite, errorfs.OpFileSync,
		errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFileFlush, errorfs.OpMkdirAll:
		return true
	}
	return false
}

func isSync(op errorfs.OpKind) bool {
	return op == errorfs.OpFileSync || op == errorfs.OpFileSyncData || op == errorfs.OpFileSyncTo
}

// session commits some rows and closes, with tables written in between. It
// returns the last commit that was acknowledged, and the last one tried.
func session(fsys vfs.FS) (acknowledged, tried int, err error) {
	db, err := durable.Open("state", durable.Options{FS: fsys})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r := rand.New(rand.NewPCG(3, 3))
	for n := 1; n <= 12; n++ {
		for k := range 20 {
			db.Put(makeRow(r, mix(uint64(n*20+k)), 1), int64(n%2)*hour)
		}
		tried = n
		if err := db.Commit(fmt.Append(nil, n), nil); err != nil {
			if again := db.Commit(nil, nil); again == nil {
				return acknowledged, tried, errors.New("a commit succeeds after one that did not")
			}
			return acknowledged, tried, err
		}
		acknowledged = n
		if n%4 == 0 {
			if err := durable.Settle(db); err != nil && db.Err() == nil {
				return acknowledged, tried, fmt.Errorf("flush: %w", err)
			}
		}
		if err := db.Err(); err != nil {
			return acknowledged, tried, err
		}
	}
	return acknowledged, tried, nil
}

// TestEachWriteFails lets each write or sync of a session fail once, or all from
// there on. The error is one line that says what to do, and what was
// acknowledged is there after the crash that follows.
func TestEachWriteFails(t *testing.T) {
	for _, tc := range []struct {
		name  string
		which func(errorfs.OpKind) bool
		fault error
		kind  error
		once  bool
	}{
		{"disk full", isWrite, syscall.ENOSPC, durable.ErrFull, false},
		{"disk full for a moment", isWrite, syscall.ENOSPC, durable.ErrFull, true},
		{"read-only all of a sudden", isWrite, syscall.EROFS, durable.ErrAccess, false},
		{"a sync goes wrong once", isSync, syscall.EIO, durable.ErrIO, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			step := int64(1)
			if testing.Short() {
				step = 5
			}
			failed := 0
			for at := int64(0); ; at += step {
				mem := vfs.NewCrashableMem()
				var n atomic.Int64
				fsys := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
					if !tc.which(op.Kind) {
						return nil
					}
					if i := n.Add(1) - 1; i == at || i > at && !tc.once {
						return &fs.PathError{Op: "write", Path: op.Path, Err: tc.fault}
					}
					return nil
				}))
				acknowledged, tried, err := session(fsys)
				if n.Load() <= at {
					if err != nil {
						t.Fatalf("nothing failed, and yet: %v", err)
					}
					break
				}
				what := fmt.Sprintf("write %d", at)
				if err != nil {
					failed++
					checkLine(t, what, err, tc.kind)
				} else if acknowledged != 12 {
					t.Fatalf("%s: %d commits and no error", what, acknowledged)
				}
				after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(at*37) % 101, RNG: rand.New(rand.NewPCG(uint64(at), 1))})
				db, err := durable.Open("state", durable.Options{FS: after})
				if err != nil {
					t.Fatalf("%s: open after a crash: %v", what, err)
				}
				var have int
				_, _ = fmt.Sscan(string(db.Meta()), &have)
				if have < acknowledged || have > tried {
					t.Errorf("%s: commit %d is there, %d was acknowledged, %d tried", what, have, acknowledged, tried)
				}
				var row join.Row
				for id := 20; id < (have+1)*20; id++ {
					if !db.Get(mix(uint64(id)), &row) {
						t.Fatalf("%s: row %d of %d commits is gone: %v", what, id, have, db.Err())
					}
				}
				if err := db.Close(); err != nil {
					t.Errorf("%s: close: %v", what, err)
				}
			}
			if failed < 10 {
				t.Errorf("only %d sessions failed", failed)
			}
		})
	}
}

// TestReadFails: a look-up that the disk answers with an error is none, and Err says so.
func TestReadFails(t *testing.T) {
	mem, _ := fill(t, 10, true)
	var broken atomic.Bool
	fsys := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && op.Kind == errorfs.OpFileReadAt {
			return &fs.PathError{Op: "read", Path: op.Path, Err: syscall.EIO}
		}
		return nil
	}))
	db, err := durable.Open("state", durable.Options{FS: fsys, CacheBytes: 1, WriteBytes: 1 << 15})
	if err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	var row join.Row
	for n := uint64(0); n < 2000 && db.Err() == nil; n++ {
		if db.Get(mix(n), &row) == (db.Err() != nil) {
			t.Fatalf("Get of row %d and Err disagree: %v", n, db.Err())
		}
	}
	if db.Err() == nil {
		t.Fatal("nothing was read from the disk")
	}
	checkLine(t, "Get", db.Err(), durable.ErrIO)
	if !strings.Contains(db.Err().Error(), ".sst") {
		t.Errorf("error %q names no file", db.Err())
	}
	if err := db.Commit(nil, nil); !errors.Is(err, durable.ErrIO) {
		t.Errorf("Commit after a failed Get: %v", err)
	}
	_ = db.Close()
}

func TestSecondOpenIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		fs   vfs.FS
		dir  string
	}{{"disk", vfs.Default, t.TempDir()}, {"memory", vfs.NewMem(), "state"}} {
		t.Run(tc.name, func(t *testing.T) {
			db, err := durable.Open(tc.dir, durable.Options{FS: tc.fs})
			if err != nil {
				t.Fatal(err)
			}
			_, err = durable.Open(tc.dir, durable.Options{FS: tc.fs})
			if !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), tc.dir) {
				t.Errorf("second Open: %v, want ErrLocked with the directory", err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if db, err = durable.Open(tc.dir, durable.Options{FS: tc.fs}); err != nil {
				t.Fatalf("Open after Close: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	for _, fault := range []error{syscall.EROFS, syscall.EACCES} {
		mem, _ := fill(t, 3, true)
		fsys := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if isWrite(op.Kind) && op.Kind != errorfs.OpMkdirAll || op.Kind == errorfs.OpLock {
				return &fs.PathError{Op: "open", Path: op.Path, Err: fault}
			}
			return nil
		}))
		_, err := durable.Open("state", durable.Options{FS: fsys})
		if err == nil {
			t.Fatalf("%v: opened", fault)
		}
		checkLine(t, fault.Error(), err, durable.ErrAccess)
	}
}

func TestLaterVersionIsRefused(t *testing.T) {
	t.Run("of ours", func(t *testing.T) {
		mem := vfs.NewMem()
		db, err := durable.Open("state", durable.Options{FS: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(durable.SetFormat(db, 2), db.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err = durable.Open("state", durable.Options{FS: mem}); err == nil {
			t.Fatal("opened")
		}
		checkLine(t, "open", err, durable.ErrVersion)
	})
	t.Run("of Pebble", func(t *testing.T) {
		mem, _ := fill(t, 3, true)
		writeFile(t, mem, "marker.format-version.000900.999", nil)
		_, err := durable.Open("state", durable.Options{FS: mem})
		if err == nil {
			t.Fatal("opened")
		}
		checkLine(t, "open", err, durable.ErrVersion)
	})
}

// TestMissingFile: without any one of its files, a state is refused or whole.
func TestMissingFile(t *testing.T) {
	for _, closed := range []bool{true, false} {
		mem, m := fill(t, 20, closed)
		names, err := mem.List("state")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			damaged := mem.CrashClone(vfs.CrashCloneCfg{})
			if err := damaged.Remove("state/" + name); err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("closed %v, without %s", closed, name)
			db, err := durable.Open("state", durable.Options{FS: damaged})
			if err != nil {
				checkLine(t, what, err, durable.ErrDamaged)
				continue
			}
			if behind, err := readAll(db, m, 20); err != nil || behind != 0 {
				t.Errorf("%s: opened, %d commits behind: %v", what, behind, err)
			}
			_ = db.Close()
		}
	}
}
