package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

// Manifests stay for the grace period after they were replaced, and the newest
// few however long; objects as long as a manifest that stays names them.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	o := w.owner(1)
	var deleted checkpoint.Swept
	for i := range uint64(100) {
		f := files{"000001.sst": "for ever", fmt.Sprintf("%06d.sst", i+2): fmt.Sprint(i)}
		done := w.upload(o, i, f)
		deleted.Manifests += done.Swept.Manifests
		deleted.Objects += done.Swept.Objects
		w.now = w.now.Add(grace / 20)
	}
	manifests, objects := len(w.bucket.Keys(part+"manifests/")), len(w.objects())
	// 20 were replaced within the grace period, and a sweep is due every 2.5.
	if manifests < 21 || manifests > 25 || objects != manifests+1 {
		t.Errorf("%d manifests and %d objects are left", manifests, objects)
	}
	if deleted.Manifests != 100-manifests || deleted.Objects != 101-objects {
		t.Errorf("swept %+v, left %d and %d", deleted, manifests, objects)
	}
	w.now = w.now.Add(10 * grace)
	w.upload(o, 100, files{"000001.sst": "for ever"})
	w.restore(o, v(1, 100), files{"000001.sst": "for ever"})
	// The last of the others was replaced only now.
	if got := w.bucket.Keys(part + "manifests/"); len(got) != 2 {
		t.Errorf("left %q", got)
	}
	w.now = w.now.Add(10 * grace)
	w.upload(o, 101, files{"000002.sst": "another"})
	w.now = w.now.Add(10 * grace)
	w.upload(o, 102, files{"000003.sst": "yet another"})
	if got := w.objects(); len(got) != 2 {
		t.Errorf("left %q", got)
	}
}

// While one owner uploads, slowly, another sweeps.
func TestSweepBesideAnUpload(t *testing.T) {
	before := files{"000001.sst": "of the base", "000002.sst": "also"}
	after := before.with("000003.sst", "sent early").with("000004.sst", "sent late")
	for _, tc := range []struct {
		name string
		took time.Duration
		want error
	}{
		{"in time", grace / 2, nil},
		{"too slow", grace/2 + 5, checkpoint.ErrSlow},
	} {
		w := newWorld(t)
		zombie, slow := w.owner(1), w.owner(2)
		w.upload(zombie, 1, before)
		w.now = w.now.Add(100 * grace)
		puts := 0
		w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
			if r.Kind == checkpointtest.Put {
				puts++
			}
			if puts != 2 {
				return nil
			}
			puts++ // but once
			hook := w.bucket.Before
			w.bucket.Before = nil
			for i := range uint64(5) {
				w.now = w.now.Add(tc.took / 5)
				done := w.upload(zombie, 2+i, files{"000009.sst": fmt.Sprint(i)})
				if i == 4 && done.Swept.Err != nil {
					t.Error(done.Swept.Err)
				}
			}
			w.bucket.Before = hook
			return nil
		}
		if done, err := slow.Upload(t.Context(), w.snapshot(after), 1); !errors.Is(err, tc.want) {
			t.Errorf("%s: %+v, %v", tc.name, done, err)
		}
		if tc.want == nil {
			if done := w.restore(w.owner(3), v(2, 1), after); done.Skipped != nil {
				t.Errorf("%s: skipped %v", tc.name, done.Skipped)
			}
			continue
		}
		// It has sent what it needs, and goes on with what is young enough.
		w.upload(slow, 2, after)
		w.restore(w.owner(3), v(2, 2), after)
	}
}

// An owner is stopped between its look at the clock and its manifest, while a
// zombie sweeps away what it relies on. The manifest is of no use, its owner is
// told, restores pass over it, and the next upload is whole.
func TestStoppedBeforeTheManifest(t *testing.T) {
	w := newWorld(t)
	zombie, stopped := w.owner(1), w.owner(2)
	before := files{"000001.sst": "of the base"}
	w.upload(zombie, 1, before)
	w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
		if r.Kind == checkpointtest.Create && strings.HasSuffix(r.Key, "-00000000000000000001") {
			w.bucket.Before = nil
			for i := range uint64(5) {
				w.now = w.now.Add(2 * grace)
				w.upload(zombie, 2+i, files{"000009.sst": fmt.Sprint(i)})
			}
		}
		return nil
	}
	after := before.with("000002.sst", "new")
	if done, err := stopped.Upload(t.Context(), w.snapshot(after), 1); !errors.Is(err, checkpoint.ErrSlow) {
		t.Errorf("%+v, %v", done, err)
	}
	if done := w.restore(w.owner(3), v(1, 6), files{"000009.sst": "4"}); len(done.Skipped) != 1 {
		t.Errorf("skipped %v", done.Skipped)
	}
	w.upload(stopped, 2, after)
	if done := w.restore(w.owner(3), v(2, 2), after); len(done.Skipped) != 0 {
		t.Errorf("skipped %v", done.Skipped)
	}
}

// A sweep finds that objects of the newest checkpoint are gone, and the next
// upload sends them again.
func TestSweepFindsDamage(t *testing.T) {
	for _, d := range damages[1:] { // a flipped bit does not show in a list
		w := newWorld(t)
		o := w.owner(1)
		w.upload(o, 1, state)
		w.bucket.Edit(w.objects()[0], d.edit)
		w.now = w.now.Add(grace / 2)
		if done := w.upload(o, 2, state); done.Swept.Damaged != 1 || done.Objects != 0 {
			t.Errorf("%s: %+v", d.name, done)
		}
		if done := w.upload(o, 3, state); done.Objects != 1 {
			t.Errorf("%s: %+v", d.name, done)
		}
		w.restore(w.owner(2), v(1, 3), state)
	}
}

// Without knowing what a kept manifest names, nothing is deleted.
func TestSweepStopsAtWhatItCannotRead(t *testing.T) {
	w := newWorld(t)
	for i := range uint64(4) {
		w.upload(w.owner(1), i, files{"000001.sst": fmt.Sprint(i)})
		w.now = w.now.Add(grace / 10)
	}
	w.bucket.Edit(manifestOf(v(1, 3)), damages[0].edit)
	w.now = w.now.Add(5 * grace)
	o := w.owner(2)
	w.now = w.now.Add(grace)
	done, err := o.Upload(t.Context(), w.snapshot(state), 1)
	if err != nil || !errors.Is(done.Swept.Err, checkpoint.ErrDamaged) || done.Swept.Objects+done.Swept.Manifests > 0 {
		t.Errorf("%+v, %v", done, err)
	}
	w.now = w.now.Add(5 * grace)
	w.upload(o, 2, state) // both that are kept can be read now
	if done := w.upload(o, 3, state); len(w.objects()) != 4 {
		t.Errorf("%+v, %d objects", done, len(w.objects()))
	}
}

// A list that lags behind costs a checkpoint its place for a while, and never
// an object.
func TestLists(t *testing.T) {
	const lag = grace/2 - time.Minute
	w := newWorld(t)
	w.bucket.Hide = func(o checkpoint.Object) bool { return w.now.Sub(o.ModTime) < lag }
	o := w.owner(1)
	for i := range uint64(60) {
		f := files{"000001.sst": "for ever", fmt.Sprintf("%06d.sst", i+2): fmt.Sprint(i)}
		w.upload(o, i+1, f)
		if i%7 == 0 { // another owner, whose state goes back to what lists show
			o = w.owner(i + 2)
			if _, err := o.Restore(t.Context(), w.snapshot(files{})); err != nil && !errors.Is(err, checkpoint.ErrNone) {
				t.Fatal(err)
			}
		}
		w.now = w.now.Add(grace / 9)
		if done, err := w.owner(1000).Restore(t.Context(), w.snapshot(files{})); err == nil && len(done.Skipped) > 0 {
			t.Fatalf("%d: skipped %v", i, done.Skipped)
		}
	}
	w.bucket.Hide = nil
	for _, key := range w.bucket.Keys(part + "manifests/") {
		var version checkpoint.Version
		if _, err := fmt.Sscanf(strings.TrimPrefix(key, part+"manifests/"), "%d-%d", &version.Epoch, &version.Sequence); err != nil {
			t.Fatal(err)
		}
		done, err := w.owner(1000).Restore(t.Context(), w.snapshot(files{}))
		if err != nil || len(done.Skipped) > 0 {
			t.Errorf("%s: %+v, %v", version, done, err)
		}
		w.bucket.Edit(manifestOf(done.Version), func([]byte) []byte { return nil })
	}
}

// A table comes back whose object is garbage, at the moment when that is
// deleted.
func TestGarbageComesBack(t *testing.T) {
	w := newWorld(t)
	zombie, o := w.owner(1), w.owner(2)
	w.upload(zombie, 1, files{"000001.sst": "comes back"})
	for i := range uint64(3) {
		w.now = w.now.Add(grace / 10)
		w.upload(zombie, 2+i, files{"000002.sst": "stays"})
	}
	w.now = w.now.Add(2 * grace)
	again := files{"000001.sst": "comes back", "000002.sst": "stays"}
	deleting := 0
	w.bucket.Before = func(_ context.Context, r checkpointtest.Request) error {
		if r.Kind == checkpointtest.Delete && strings.Contains(r.Key, "objects/") {
			if deleting++; deleting == 1 {
				w.upload(o, 1, again)
			}
		}
		return nil
	}
	w.upload(zombie, 5, files{"000002.sst": "stays"})
	if deleting == 0 {
		t.Fatal("nothing was deleted")
	}
	if done := w.restore(w.owner(3), v(2, 1), again); len(done.Skipped) > 0 {
		t.Errorf("skipped %v", done.Skipped)
	}
}
