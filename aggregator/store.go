package aggregator

import (
	"cmp"
	"slices"
)

// paneStore keeps what one source partition has published: the cumulative sums
// of every cell and pane within the retention. A late label finds its pane here
// however old. Sums are never changed once they have left in an Upsert.
type paneStore struct {
	opts    Options
	tracks  map[Key]*storeTrack
	budget  *budget
	version uint64
	dirty   []dirtyPane
	upserts []Upsert
	packer  packer
	rolled  int64 // newest event time at the last roll-up
	cutTold group // where the budget had cut at the last flush
}

type storeTrack struct {
	key   Key
	panes []storedPane // sorted by start, then width
}

type storedPane struct {
	pane   Pane
	packed *packed // as of the last flush, nil before the first
	sums   *Sums   // with what was added since, nil when nothing was
	owned  bool    // sums is this pane's alone and may be added to
	dirty  bool
}

type dirtyPane struct {
	track *storeTrack
	pane  Pane
}

func newPaneStore(opts Options) *paneStore {
	s := &paneStore{opts: opts, tracks: map[Key]*storeTrack{}}
	s.budget = newBudget(opts.MaxSeries, func(k Key) { delete(s.tracks, k) })
	return s
}

// add adds delta, which must not change afterwards, to the pane that holds
// event time ms.
func (s *paneStore) add(key Key, ms, newest int64, delta *Sums) {
	if !s.budget.allow(key) {
		return
	}
	t := s.tracks[key]
	if t == nil {
		t = &storeTrack{key: key}
		s.tracks[key] = t
	}
	s.addTo(t, s.opts.Levels.At(ms, newest), delta)
}

func (s *paneStore) addTo(t *storeTrack, pane Pane, delta *Sums) {
	i, found := t.find(pane)
	if !found {
		t.panes = slices.Insert(t.panes, i, storedPane{pane: pane})
	}
	e := &t.panes[i]
	switch {
	case e.sums == nil && e.packed == nil:
		e.sums = delta
	case e.sums == nil:
		e.sums, e.owned = &Sums{}, true
		e.packed.unpack(e.sums)
		e.sums.Add(delta)
	case e.owned:
		e.sums.Add(delta)
	default:
		e.sums, e.owned = e.sums.Clone(), true
		e.sums.Add(delta)
	}
	if !e.dirty {
		e.dirty = true
		s.dirty = append(s.dirty, dirtyPane{t, pane})
	}
}

// all is all that the pane holds.
func (e *storedPane) all() *Sums {
	if e.sums == nil {
		e.sums = &Sums{}
		e.packed.unpack(e.sums)
	}
	return e.sums
}

func (t *storeTrack) find(pane Pane) (int, bool) {
	return slices.BinarySearchFunc(t.panes, pane, func(e storedPane, p Pane) int {
		return cmp.Or(cmp.Compare(e.pane.StartMs, p.StartMs), cmp.Compare(e.pane.WidthMs, p.WidthMs))
	})
}

// flush rolls up and expires what has come of age, and returns every pane that
// changed since the last flush.
func (s *paneStore) flush(newest int64) []Upsert {
	s.version++
	s.upserts = s.upserts[:0]
	if newest > s.rolled {
		s.age(newest)
		s.rolled = newest
	}
	for _, d := range s.dirty {
		i, found := d.track.find(d.pane)
		if !found || s.tracks[d.track.key] != d.track {
			continue // rolled up, expired, or cut by the budget meanwhile
		}
		e := &d.track.panes[i]
		sums := e.all()
		e.packed = s.packer.pack(sums)
		e.sums, e.dirty, e.owned = nil, false, false
		s.upserts = append(s.upserts, Upsert{Key: d.track.key, Pane: d.pane, Version: s.version, Sums: sums, packed: e.packed})
	}
	s.dirty = s.dirty[:0]
	if at := s.budget.cutAt; at != s.cutTold {
		s.cutTold = at
		s.upserts = append(s.upserts, Upsert{Key: Key{Experiment: at.experiment, Labels: at.labels}, Version: s.version, Cut: true})
	}
	// A fixed order makes what leaves a function of what came in.
	slices.SortFunc(s.upserts, func(a, b Upsert) int {
		return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.Pane.StartMs, b.Pane.StartMs), cmp.Compare(a.Pane.WidthMs, b.Pane.WidthMs))
	})
	return s.upserts
}

// age moves panes to the width that they have by the newest event, and drops
// those beyond the horizon.
func (s *paneStore) age(newest int64) {
	l := s.opts.Levels
	horizon := l.Horizon(newest)
	for _, t := range s.tracks {
		kept := 0
		for kept < len(t.panes) && t.panes[kept].pane.StartMs < horizon {
			s.tombstone(t, t.panes[kept].pane)
			kept++
		}
		t.panes = slices.Delete(t.panes, 0, kept)
		if len(t.panes) == 0 {
			delete(s.tracks, t.key)
			s.budget.release(t.key)
		}
		s.rollUp(t, l.hourEdge(s.rolled), l.hourEdge(newest), newest)
		s.rollUp(t, l.minuteEdge(s.rolled), l.minuteEdge(newest), newest)
	}
}

// rollUp merges the panes that start in [from, to) and are finer than their age allows.
func (s *paneStore) rollUp(t *storeTrack, from, to, newest int64) {
	i, _ := t.find(Pane{StartMs: from})
	for i < len(t.panes) && t.panes[i].pane.StartMs < to {
		e := t.panes[i]
		wide := s.opts.Levels.At(e.pane.StartMs, newest)
		if wide == e.pane {
			i++
			continue
		}
		s.tombstone(t, e.pane)
		t.panes = slices.Delete(t.panes, i, i+1)
		s.addTo(t, wide, e.all())
		// The wide pane sorts at or before i when it was new, so what was at
		// i+1 may have moved: look for the place again.
		i, _ = t.find(e.pane)
	}
}

func (s *paneStore) tombstone(t *storeTrack, p Pane) {
	s.upserts = append(s.upserts, Upsert{Key: t.key, Pane: p, Version: s.version})
}

// republish marks every pane as changed, so that the next flush returns all.
func (s *paneStore) republish() {
	s.cutTold = group{}
	for _, t := range s.tracks {
		for i := range t.panes {
			if e := &t.panes[i]; !e.dirty {
				e.dirty = true
				s.dirty = append(s.dirty, dirtyPane{t, e.pane})
			}
		}
	}
}
