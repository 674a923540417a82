package faultsim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

type processKey struct{}

var errBucket = errors.New("simulated error of the blob store")

func (w *world) now() time.Time { return time.UnixMilli(w.nowMs) }

// makeBucket makes the blob store, whose requests fail, succeed without saying
// so, and are the last thing that a process does.
func (w *world) makeBucket() {
	fail := func(ctx context.Context, _ checkpointtest.Request) error {
		p := ctx.Value(processKey{}).(*process)
		switch {
		case p.fs.crashed():
			return errBucket
		case w.calm:
		case w.chance(0.08):
			return errBucket
		case w.chance(0.01):
			w.faults[CrashInUpload]++
			p.fs.crash()
			p.cancel()
			return errBucket
		}
		return nil
	}
	w.bucket = &checkpointtest.Bucket{Now: w.now, Before: fail, After: fail, Hide: func(o checkpoint.Object) bool {
		hidden := w.lag > 0 && !w.calm && w.now().Sub(o.ModTime) < w.lag && strings.Contains(o.Key, "/manifests/")
		if hidden {
			w.faults[StaleManifest]++
		}
		return hidden
	}}
}

func (w *world) openStore(p *process) {
	if !w.checkpoint {
		return
	}
	o := checkpoint.DefaultOptions("g")
	o.Keep, o.Tries, o.Backoff, o.Parallel = 2, 2, time.Nanosecond, 1
	o.FS, o.Now = p.fs, w.now
	w.stores++
	o.Writer = fmt.Sprintf("w%d", w.stores)
	var err error
	if p.store, err = checkpoint.NewStore(w.bucket, o); err != nil {
		w.failf("%v", err)
	}
}

// upload makes a checkpoint of a partition.
func (w *world) upload(p *process, h *held) {
	saver, ok := any(h.db).(interface{ Checkpoint(dir string) error })
	if h.owner == nil || !ok {
		return
	}
	if w.isZombie(p, h) {
		w.faults[ZombieUpload]++
	}
	dir := fmt.Sprintf("p%d.checkpoint", h.partition)
	w.guard(p, func() error {
		if err := p.fs.RemoveAll(dir); err != nil {
			return err
		}
		if err := saver.Checkpoint(dir); err != nil || p.dead() {
			return err
		}
		h.sequence++
		done, err := h.owner.Upload(p.ctx, dir, h.sequence)
		switch {
		case p.dead():
			return nil
		case err == nil:
			w.note("%d: checkpoint %s of partition %d, %d of %d bytes sent", p.inst.id, done.Version, h.partition, done.Sent, done.Bytes)
		case errors.Is(err, checkpoint.ErrFenced), errors.Is(err, checkpoint.ErrStale):
			w.faults[Fenced]++
			if w.chance(0.5) {
				w.drop(p, h)
			}
			return nil
		case errors.Is(err, errBucket), errors.Is(err, checkpoint.ErrSlow):
			w.faults[UploadFailed]++
			return nil
		}
		return err
	})
}

// objects are the keys of what is in the blob store. Their order is that of what
// they are and how long, because Pebble's files hold a little that is random.
func (w *world) objects() []string {
	keys := w.bucket.Keys("g/partition")
	type name struct {
		folder, upload string
		size           int
	}
	names := map[string]name{}
	for _, key := range keys {
		_, upload, _ := strings.Cut(path.Base(key), ".")
		n := name{folder: path.Dir(key), upload: upload}
		w.bucket.Edit(key, func(b []byte) []byte { n.size = len(b); return b })
		names[key] = n
	}
	slices.SortFunc(keys, func(a, b string) int {
		n, m := names[a], names[b]
		return cmp.Or(cmp.Compare(n.folder, m.folder), cmp.Compare(n.upload, m.upload), cmp.Compare(n.size, m.size), cmp.Compare(a, b))
	})
	return keys
}

// damage changes an object of a checkpoint.
func (w *world) damage() {
	keys := w.objects()
	if len(keys) == 0 {
		return
	}
	w.faults[DamagedObject]++
	w.bucket.Edit(pick(w.rng, keys...), func(b []byte) []byte {
		if len(b) == 0 {
			return []byte{1}
		}
		if w.chance(0.3) {
			return nil
		}
		if w.chance(0.3) {
			return b[:w.rng.IntN(len(b))]
		}
		b[w.rng.IntN(len(b))] ^= 1 << w.rng.IntN(8)
		return b
	})
}
