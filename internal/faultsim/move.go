package faultsim

import (
	"errors"
	"fmt"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// anew says that a state began with nothing.
const anew = ", anew"

// openState opens the state of a partition: the one on the disk, or the newest
// checkpoint where that is of a newer owner, as internal/app does. It says what
// it did, and whether the partition can be opened; if not, nothing is left open.
func (w *world) openState(p *process, number int32, epoch uint64) (db *durable.DB, what string, ok bool) {
	dir := fmt.Sprintf("p%d", number)
	if db, ok = w.openDir(p, dir); !ok {
		return nil, "", false
	}
	stored, err := partition.ReadStored(db.Meta())
	if err != nil {
		w.failf("instance %d, partition %d: %v", p.inst.id, number, err)
	}
	what = anew
	if stored.Epoch > 0 {
		what = ""
		if w.group.owner[number] != p.inst.id || stored.Epoch < w.newestEpoch(number) {
			w.faults[StaleState]++
		}
	}
	if p.store == nil {
		return db, what, true
	}
	newest, err := p.store.Owner(number, stored.Epoch).Newest(p.ctx)
	switch {
	case errors.Is(err, checkpoint.ErrNone), err == nil && newest.Epoch <= stored.Epoch, err != nil && stored.Epoch > 0:
		return db, what, !w.gone(p, db)
	case err != nil:
		p.pending[number] = p.knows // again later
		closeQuietly(db, nil)
		return nil, "", false
	}
	closeQuietly(db, nil)
	if p.dead() {
		return nil, "", false
	}
	version, err := w.moveHere(p, number, dir, epoch)
	switch {
	case p.dead():
		return nil, "", false
	case err == nil:
		w.faults[Restored]++
		what = ", from checkpoint " + version.String()
	case errors.Is(err, checkpoint.ErrFenced):
		w.faults[Fenced]++
		return nil, "", false
	case errors.Is(err, checkpoint.ErrDamaged): // somebody deletes them
	case errors.Is(err, errBucket):
		p.pending[number] = p.knows
		return nil, "", false
	default:
		w.failf("instance %d, partition %d: %v", p.inst.id, number, err)
	}
	db, ok = w.openDir(p, dir)
	return db, what, ok
}

// openDir opens a directory, unless the process comes to its end with it.
func (w *world) openDir(p *process, dir string) (*durable.DB, bool) {
	db, err := durable.Open(dir, durable.Options{
		FS: p.fs, CacheBytes: 1 << 18, MemoryBytes: 1 << 12, WriteBytes: w.writeBytes, NoCompactions: !w.background,
	})
	if err != nil && !p.dead() {
		w.failf("instance %d: %v", p.inst.id, err)
	}
	return db, err == nil && !w.gone(p, db)
}

// gone closes db when the process has come to its end.
func (w *world) gone(p *process, db *durable.DB) bool {
	if p.dead() {
		closeQuietly(db, nil)
		return true
	}
	return false
}

// moveHere puts the newest checkpoint in the place of a directory. At no moment
// is there a directory of that name that is not whole.
func (w *world) moveHere(p *process, number int32, dir string, epoch uint64) (checkpoint.Version, error) {
	aside, old := dir+".restored", dir+".replaced"
	if err := errors.Join(p.fs.RemoveAll(aside), p.fs.RemoveAll(old)); err != nil {
		return checkpoint.Version{}, err
	}
	done, err := p.store.Owner(number, epoch).Restore(p.ctx, aside)
	if err != nil {
		return checkpoint.Version{}, err
	}
	delete(p.inst.committed, number)
	if !w.calm && w.chance(0.3) {
		p.fs.arm(1 + w.rng.IntN(12))
	}
	err = errors.Join(p.fs.Rename(dir, old), p.fs.Rename(aside, dir))
	if err != nil {
		return checkpoint.Version{}, err
	}
	in, err := p.fs.OpenDir("")
	if err != nil {
		return checkpoint.Version{}, err
	}
	return done.Version, errors.Join(in.Sync(), in.Close(), p.fs.RemoveAll(old))
}

// newestEpoch is the newest epoch under which anybody has opened a partition.
func (w *world) newestEpoch(number int32) (newest uint64) {
	for a := range w.group.opened {
		if a.partition == number {
			newest = max(newest, a.generation)
		}
	}
	return newest
}
