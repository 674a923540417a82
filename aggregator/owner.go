package aggregator

import (
	"fmt"
	"iter"
	"slices"
)

// CellPane names one cell in one pane.
type CellPane struct {
	Key  Key
	Pane Pane
}

// SetEpoch begins the versions of a new owner. Epochs never go back: whoever
// hands them out makes sure of that.
func (p *Partition) SetEpoch(epoch uint64) { p.store.version.Epoch = epoch }

// Version is that of the last Flush.
func (p *Partition) Version() Version { return p.store.version }

// Restore takes in a record that this source has published or stored earlier.
// It is called before anything else is told to the Partition.
func (p *Partition) Restore(d *Decoder, key, value []byte) error {
	k, err := d.Key(key)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	u, newest, err := d.Value(k, value)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	p.Observe(newest)
	s := p.store
	if s.version.Less(u.Version) {
		s.version = u.Version
	}
	if u.Progress {
		if u.Cut {
			s.budget.cut(u.Key.group())
		}
		return nil
	}
	t := s.track(u.Key)
	if t == nil {
		return nil // cut: what is left of it is not published
	}
	i, found := t.find(u.Pane)
	if !found {
		t.panes = slices.Insert(t.panes, i, storedPane{pane: u.Pane})
	}
	t.panes[i].version, t.panes[i].packed = u.Version, u.packed
	return nil
}

// Cut takes out a label set that another source or a reader has cut, and all
// that rank above it, so that all sources keep the same.
func (p *Partition) Cut(k Key) { p.store.budget.cut(k.group()) }

// Correct has the next Flush say what the Partition holds of a pane, or that it
// holds nothing, because something else is published of it. What overlaps the
// pane is published again too: the other record was newer than it, and may have
// displaced it.
func (p *Partition) Correct(c CellPane) { p.store.correct(c) }

func (s *paneStore) correct(c CellPane) {
	if t := s.tracks[c.Key]; t != nil {
		i, _ := t.find(Pane{StartMs: c.Pane.StartMs})
		for ; i < len(t.panes) && t.panes[i].pane.StartMs < c.Pane.EndMs(); i++ {
			s.touch(t, &t.panes[i])
		}
		s.opts.Levels.wider(c.Pane, func(w Pane) {
			if i, found := t.find(w); found {
				s.touch(t, &t.panes[i])
			}
		})
	}
	s.gone = append(s.gone, c)
}

// CorrectProgress has the next Flush say how far the source is, because
// something older stands behind what was published of that.
func (p *Partition) CorrectProgress() { p.store.told = 0 }

// Reconcile compares what the topic holds of this source with what the
// Partition holds, and has the next Flush publish every difference: of a new
// owner, what its predecessor has published beyond the state that it began
// with; of a lost disk, everything; after a crash, what was stored and not
// published. It returns how many panes differ. published yields each pane once,
// with the version of the last record of its key.
func (p *Partition) Reconcile(published iter.Seq2[CellPane, Version]) int {
	s := p.store
	s.told, s.cutTold = 0, group{}
	differ := 0
	for c, v := range published {
		t := s.tracks[c.Key]
		if t != nil {
			if i, found := t.find(c.Pane); found && t.panes[i].version == v {
				t.panes[i].known = true
				continue
			}
		}
		differ++
		s.correct(c)
	}
	for _, t := range s.tracks {
		for i := range t.panes {
			e := &t.panes[i]
			if !e.known && !e.version.IsZero() {
				differ++
				s.touch(t, e)
			}
			e.known = false
		}
	}
	return differ
}

// RestoreExpired gives a new Partition back what Expired was.
func (p *Partition) RestoreExpired(n int64) { p.expired = n }

// Behind reports whether the topic holds something of this source that the
// Partition does not have yet: a predecessor has stored less than it published,
// or its disk is lost. Until the Partition has caught up, what is published is
// better than what it could put in its place.
func (p *Partition) Behind(published iter.Seq2[CellPane, Version]) bool {
	for c, v := range published {
		t := p.store.tracks[c.Key]
		if t == nil {
			return true
		}
		if i, found := t.find(c.Pane); !found || t.panes[i].version.Less(v) {
			return true
		}
	}
	return false
}
