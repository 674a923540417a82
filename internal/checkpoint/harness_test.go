package checkpoint_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

// files is what is in a state directory, by name.
type files map[string]string

// with returns a copy of f in which one file is different; "" removes it.
func (f files) with(name, data string) files {
	f = maps.Clone(f)
	f[name] = data
	if data == "" {
		delete(f, name)
	}
	return f
}

// world is a bucket in memory, a file system in memory and one clock.
type world struct {
	t      testing.TB
	bucket *checkpointtest.Bucket
	fs     *vfs.MemFS
	now    time.Time
	stores int
	dirs   int
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, fs: vfs.NewMem(), now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	w.bucket = &checkpointtest.Bucket{Now: func() time.Time { return w.now }}
	return w
}

const (
	grace = time.Hour
	part  = "g/partition-00003/"
)

// periods is some grace periods.
func periods(n float64) time.Duration { return time.Duration(n * float64(grace)) }

// owner is one of partition 3 in a process of its own.
func (w *world) owner(epoch uint64) *checkpoint.Owner {
	o := checkpoint.DefaultOptions("g")
	o.Grace, o.Keep, o.Tries, o.Backoff, o.Parallel = grace, 2, 3, time.Nanosecond, 1
	o.FS, o.Now = w.fs, func() time.Time { return w.now }
	w.stores++
	o.Writer = fmt.Sprintf("w%d", w.stores)
	store, err := checkpoint.NewStore(w.bucket, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return store.Owner(3, epoch)
}

// snapshot writes a directory.
func (w *world) snapshot(f files) string {
	w.t.Helper()
	w.dirs++
	dir := fmt.Sprintf("snapshot-%d", w.dirs)
	if err := w.fs.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	for name, data := range f {
		w.write(w.fs.PathJoin(dir, name), data)
	}
	return dir
}

func (w *world) write(path, data string) {
	w.t.Helper()
	file, err := w.fs.Create(path, "test")
	if err == nil {
		_, err = file.Write([]byte(data))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// upload uploads a snapshot of f and returns what that took.
func (w *world) upload(o *checkpoint.Owner, sequence uint64, f files) checkpoint.Uploaded {
	w.t.Helper()
	done, err := o.Upload(w.t.Context(), w.snapshot(f), sequence)
	if err != nil {
		w.t.Fatal(err)
	}
	if done.Swept.Err != nil {
		w.t.Fatal(done.Swept.Err)
	}
	return done
}

// read returns what is in a directory, nil if there is none.
func (w *world) read(dir string) files {
	w.t.Helper()
	names, err := w.fs.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	f := files{}
	for _, name := range names {
		file, err := w.fs.Open(w.fs.PathJoin(dir, name))
		if err != nil {
			w.t.Fatal(err)
		}
		data, err := io.ReadAll(file)
		if err != nil {
			w.t.Fatal(err)
		}
		f[name] = string(data)
		if err := file.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	return f
}

// restore restores into a new directory and wants f of the version.
func (w *world) restore(o *checkpoint.Owner, version checkpoint.Version, f files) checkpoint.Restored {
	w.t.Helper()
	w.dirs++
	dir := fmt.Sprintf("restored-%d", w.dirs)
	done, err := o.Restore(w.t.Context(), dir)
	if err != nil {
		w.t.Fatal(err)
	}
	if done.Version != version || done.Files != len(f) {
		w.t.Errorf("Restore = %+v, want version %s and %d files", done, version, len(f))
	}
	if diff := cmp.Diff(f, w.read(dir)); diff != "" {
		w.t.Errorf("restored directory of %s (-want +got):\n%s", version, diff)
	}
	return done
}

// v writes a version.
func v(epoch, sequence uint64) checkpoint.Version {
	return checkpoint.Version{Epoch: epoch, Sequence: sequence}
}

// manifestOf returns the key of a version's manifest.
func manifestOf(v checkpoint.Version) string {
	return fmt.Sprintf("%smanifests/%020d-%020d", part, v.Epoch, v.Sequence)
}

// objects are the keys of the partition's objects.
func (w *world) objects() []string { return w.bucket.Keys(part + "objects/") }

// newObjects calls f and returns the keys of the objects it made.
func (w *world) newObjects(f func()) []string {
	before := w.objects()
	f()
	return slices.DeleteFunc(w.objects(), func(key string) bool { return slices.Contains(before, key) })
}

var state = files{
	"000004.sst": "a table", "000005.sst": "another table", "000006.log": "a log", "MANIFEST-000001": "tables 4 and 5",
	"marker.manifest.000001.MANIFEST-000001": "",
}
