package checkpoint_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

// damages are ways in which an object comes to harm, and what is said of it.
var damages = []struct {
	name string
	edit func(data []byte) []byte
	want string // of a part
}{
	{"flipped", func(data []byte) []byte {
		if len(data) > 0 { // a history may have emptied it before
			data[len(data)/2] ^= 4
		}
		return data
	}, "checksum does not match"},
	{"truncated", func(data []byte) []byte { return data[:max(0, len(data)-1)] }, "bytes, want"},
	{"emptied", func(data []byte) []byte { return data[:0] }, "0 bytes, want"},
	{"lengthened", func(data []byte) []byte { return append(data, 'x') }, "more than"},
	{"deleted", func([]byte) []byte { return nil }, "no such object"},
}

func TestDamage(t *testing.T) {
	older, newer := state, state.with("000007.sst", "the newest table").with("000005.sst", "")
	for _, d := range damages {
		w := newWorld(t)
		w.upload(w.owner(1), 1, older)
		objects := w.newObjects(func() { w.upload(w.owner(2), 1, newer) })
		for _, key := range []string{manifestOf(v(2, 1)), objects[0]} {
			w := newWorld(t)
			first, second := w.owner(1), w.owner(2)
			w.upload(first, 1, older)
			w.upload(second, 1, newer)
			w.bucket.Edit(key, d.edit)

			third := w.owner(3)
			done := w.restore(third, v(1, 1), older)
			if key == manifestOf(v(2, 1)) && d.name == "deleted" {
				if len(done.Skipped) > 0 { // as if it had never been
					t.Errorf("deleted manifest: skipped %v", done.Skipped)
				}
				continue
			}
			if len(done.Skipped) != 1 || !errors.Is(done.Skipped[0], checkpoint.ErrDamaged) {
				t.Fatalf("%s: skipped %v", d.name, done.Skipped)
			}
			text := done.Skipped[0].Error()
			if !strings.Contains(text, key) || !strings.Contains(text, "version 2-1") || strings.Contains(text, "\n") {
				t.Errorf("%s %s: %s", d.name, key, text)
			}
			if key == objects[0] && !strings.Contains(text, d.want) {
				t.Errorf("%s %s: %s, want %s", d.name, key, text, d.want)
			}
			// What is known to be damaged is not relied upon.
			w.upload(third, 1, newer)
			if done := w.restore(w.owner(4), v(3, 1), newer); len(done.Skipped) > 0 {
				t.Errorf("%s: after the repair: %v", d.name, done.Skipped)
			}
		}
	}
}

func TestNothingWhole(t *testing.T) {
	w := newWorld(t)
	objects := w.newObjects(func() { w.upload(w.owner(1), 1, state) })
	w.upload(w.owner(2), 1, state.with("x", "y"))
	w.bucket.Edit(objects[0], func([]byte) []byte { return nil })
	_, err := w.owner(3).Restore(t.Context(), "dir")
	if !errors.Is(err, checkpoint.ErrDamaged) || errors.Is(err, checkpoint.ErrNone) ||
		!strings.Contains(err.Error(), "version 1-1") || !strings.Contains(err.Error(), "version 2-1") {
		t.Errorf("got %v", err)
	}
	if got := w.read("dir"); got != nil || w.read("dir.restoring") != nil {
		t.Errorf("left: %v", got)
	}
}

func TestNewerFormat(t *testing.T) {
	w := newWorld(t)
	w.upload(w.owner(1), 1, state)
	w.upload(w.owner(1), 2, state)
	w.bucket.Edit(manifestOf(v(1, 2)), func(data []byte) []byte { return checkpoint.Sealed("rampgauge checkpoint 2\nwho knows\n") })
	_, err := w.owner(2).Restore(t.Context(), "dir")
	if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "upgrade") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Restore: %v", err)
	}
	if _, err := w.owner(2).Upload(t.Context(), w.snapshot(state), 1); !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("Upload: %v", err)
	}
}

// A store that cannot be reached is not one whose newest checkpoint is damaged.
func TestUnreachable(t *testing.T) {
	errNetwork := errors.New("network is down")
	for n := range 4 { // the list, the manifest, the first object, the second
		w := newWorld(t)
		w.upload(w.owner(1), 1, state)
		w.upload(w.owner(1), 2, state.with("x", "y"))
		first := w.bucket.Requests()
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if r.N >= first+n {
				return errNetwork
			}
			return nil
		}
		_, err := w.owner(2).Restore(t.Context(), "dir")
		if !errors.Is(err, errNetwork) || errors.Is(err, checkpoint.ErrDamaged) || errors.Is(err, checkpoint.ErrNone) {
			t.Errorf("from request %d: %v", n, err)
		}
		if w.read("dir") != nil || w.read("dir.restoring") != nil {
			t.Errorf("from request %d: something is left", n)
		}
	}
}

func TestRestoreDirectory(t *testing.T) {
	w := newWorld(t)
	o := w.owner(1)
	w.upload(o, 1, state)
	full := w.snapshot(files{"000009.sst": "mine"})
	if _, err := o.Restore(t.Context(), full); !errors.Is(err, checkpoint.ErrNotEmpty) || !strings.Contains(err.Error(), full) {
		t.Errorf("a directory with files: %v", err)
	}
	if diff := cmp.Diff(files{"000009.sst": "mine"}, w.read(full)); diff != "" {
		t.Errorf("it has changed:\n%s", diff)
	}
	empty := w.snapshot(files{})
	if _, err := o.Restore(t.Context(), empty); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
	if diff := cmp.Diff(state, w.read(empty)); diff != "" {
		t.Errorf("in an empty directory:\n%s", diff)
	}
}

// The machine crashes at each request of a restore, and loses what was not
// synced. What is left is no state, and the next restore makes it.
func TestCrashInRestore(t *testing.T) {
	for n := 0; ; n++ {
		w := newWorld(t)
		w.upload(w.owner(1), 1, state)
		w.fs = vfs.NewCrashableMem()
		first, crashed := w.bucket.Requests(), false
		ctx, crash := context.WithCancel(t.Context())
		disk := w.fs
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if r.N == first+n {
				crashed = true
				disk = w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, uint64(n)))})
				crash()
			}
			return ctx.Err()
		}
		_, err := w.owner(1).Restore(ctx, "state")
		w.bucket.Before = nil
		crash()
		if !crashed {
			// Then it is synced: a crash right after loses nothing.
			w.fs = w.fs.CrashClone(vfs.CrashCloneCfg{})
			if diff := cmp.Diff(state, w.read("state")); diff != "" || err != nil {
				t.Errorf("%v, after a crash at the end:\n%s", err, diff)
			}
			if n < len(state) {
				t.Errorf("only %d requests", n)
			}
			return
		}
		w.fs = disk
		if got := w.read("state"); got != nil {
			t.Errorf("request %d: left %v", n, got)
		}
		if _, err := w.owner(2).Restore(t.Context(), "state"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(state, w.read("state")); diff != "" {
			t.Errorf("request %d, restored again:\n%s", n, diff)
		}
	}
}

// A disk that is full is the error, not a reason to take an older checkpoint.
func TestRestoreOnFullDisk(t *testing.T) {
	w := newWorld(t)
	w.upload(w.owner(1), 1, state)
	w.upload(w.owner(1), 2, state.with("x", "y"))
	errFull := errors.New("no space left on device")
	for n := range 12 {
		o := checkpoint.DefaultOptions("g")
		o.Parallel = 1
		o.FS = &fullDisk{FS: w.fs, after: n, err: errFull}
		store, err := checkpoint.NewStore(w.bucket, o)
		if err != nil {
			t.Fatal(err)
		}
		requests := w.bucket.Requests()
		done, err := store.Owner(3, 2).Restore(t.Context(), "dir")
		if !errors.Is(err, errFull) && (err != nil || done.Version != v(1, 2) || n < 5) {
			t.Errorf("after %d writes: %+v, %v", n, done, err)
		}
		if err != nil && w.read("dir") != nil {
			t.Errorf("after %d writes: left %v", n, w.read("dir"))
		}
		if got := w.bucket.Requests() - requests; got > 8 {
			t.Errorf("after %d writes: %d requests: it was tried again", n, got)
		}
		if err := w.fs.RemoveAll("dir"); err != nil {
			t.Fatal(err)
		}
	}
}

// fullDisk fails every write after some.
type fullDisk struct {
	vfs.FS
	after int
	err   error
}

func (f *fullDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, o...)
	return &fullFile{file, f}, err
}

type fullFile struct {
	vfs.File
	disk *fullDisk
}

func (f *fullFile) WriteAt(p []byte, offset int64) (int, error) {
	if f.disk.after--; f.disk.after < 0 {
		return 0, f.disk.err
	}
	return f.File.WriteAt(p, offset)
}

func (f *fullFile) Sync() error {
	if f.disk.after--; f.disk.after < 0 {
		return f.disk.err
	}
	return f.File.Sync()
}
