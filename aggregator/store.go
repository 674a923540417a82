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
	version Version
	dirty   []dirtyPane
	gone    []CellPane // to be removed at the next flush, unless held again
	upserts []Upsert
	packer  packer
	rolled  int64 // newest event time at the last roll-up
	told    int64 // newest event time at the last flush that published it
	cutTold group // where the budget had cut at the last flush
}

type storeTrack struct {
	key   Key
	panes []storedPane // sorted by start, then width; disjoint
}

type storedPane struct {
	pane    Pane
	version Version // that it was published under, zero before the first time
	packed  *packed // as of the last flush, nil before the first
	sums    *Sums   // with what was added since, nil when nothing was
	owned   bool    // sums is this pane's alone and may be added to
	dirty   bool
	known   bool // during Reconcile: the topic holds this version
}

type dirtyPane struct {
	track *storeTrack
	pane  Pane
}

func newPaneStore(opts Options) *paneStore {
	s := &paneStore{opts: opts, tracks: map[Key]*storeTrack{}}
	s.budget = newBudget(opts.MaxSeries, s.evict)
	return s
}

// evict forgets a cell that the budget has cut, and has its panes removed from
// wherever they were published.
func (s *paneStore) evict(k Key) {
	if t := s.tracks[k]; t != nil {
		for i := range t.panes {
			s.remove(k, &t.panes[i])
		}
		delete(s.tracks, k)
	}
}

// remove publishes, at the next flush, that a pane is gone.
func (s *paneStore) remove(k Key, e *storedPane) {
	if !e.version.IsZero() {
		s.gone = append(s.gone, CellPane{k, e.pane})
	}
}

// add adds delta, which must not change afterwards, to the pane that holds
// event time ms.
func (s *paneStore) add(key Key, ms, newest int64, delta *Sums) {
	if t := s.track(key); t != nil {
		s.addTo(t, s.opts.Levels.At(ms, newest), delta)
	}
}

// track returns the track of a cell, nil where the budget does not allow it.
func (s *paneStore) track(key Key) *storeTrack {
	if !s.budget.allow(key) {
		return nil
	}
	t := s.tracks[key]
	if t == nil {
		t = &storeTrack{key: key}
		s.tracks[key] = t
	}
	return t
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
	s.touch(t, e)
}

// touch has a pane published at the next flush.
func (s *paneStore) touch(t *storeTrack, e *storedPane) {
	if !e.dirty {
		e.dirty = true
		s.dirty = append(s.dirty, dirtyPane{t, e.pane})
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
	return slices.BinarySearchFunc(t.panes, pane, func(e storedPane, p Pane) int { return e.pane.compare(p) })
}

// flush rolls up and expires what has come of age, and returns every pane that
// changed since the last flush: first those that hold something, then those
// that are gone, at last how far the source is. A reader that takes them in
// this order has a wide pane before it loses the fine ones.
func (s *paneStore) flush(newest int64) []Upsert {
	s.version.Sequence++
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
		if e.sums != nil || e.packed == nil {
			e.packed = s.packer.pack(e.all())
		}
		sums := e.sums
		e.sums, e.dirty, e.owned, e.version = nil, false, false, s.version
		s.upserts = append(s.upserts, Upsert{Key: d.track.key, Pane: d.pane, Version: s.version, Sums: sums, packed: e.packed})
	}
	s.dirty = s.dirty[:0]
	for _, g := range s.gone {
		if !s.holds(g) {
			s.upserts = append(s.upserts, Upsert{Key: g.Key, Pane: g.Pane, Version: s.version})
		}
	}
	s.gone = s.gone[:0]
	// A fixed order makes what leaves a function of what came in.
	slices.SortFunc(s.upserts, func(a, b Upsert) int {
		return cmp.Or(compareBool(a.removes(), b.removes()), a.Key.Compare(b.Key), a.Pane.compare(b.Pane))
	})
	s.upserts = slices.CompactFunc(s.upserts, func(a, b Upsert) bool { return a.Key == b.Key && a.Pane == b.Pane })
	if at := s.budget.cutAt; at != s.cutTold || newest != s.told {
		s.cutTold, s.told = at, newest
		s.upserts = append(s.upserts, Upsert{
			Key: Key{Experiment: at.experiment, Labels: at.labels}, Version: s.version, Progress: true, Cut: at != group{},
		})
	}
	return s.upserts
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (s *paneStore) holds(c CellPane) bool {
	t := s.tracks[c.Key]
	if t == nil {
		return false
	}
	_, found := t.find(c.Pane)
	return found
}

// age moves panes to the width that they have by the newest event, and drops
// those beyond the horizon.
func (s *paneStore) age(newest int64) {
	l := s.opts.Levels
	horizon := l.Horizon(newest)
	for _, t := range s.tracks {
		kept := 0
		for kept < len(t.panes) && t.panes[kept].pane.StartMs < horizon {
			s.remove(t.key, &t.panes[kept])
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
		s.remove(t.key, &e)
		t.panes = slices.Delete(t.panes, i, i+1)
		s.addTo(t, wide, e.all())
		// The wide pane sorts at or before i when it was new, so what was at
		// i+1 may have moved: look for the place again.
		i, _ = t.find(e.pane)
	}
}

// republish marks every pane as changed, so that the next flush returns all.
func (s *paneStore) republish() {
	s.cutTold, s.told = group{}, 0
	for _, t := range s.tracks {
		for i := range t.panes {
			s.touch(t, &t.panes[i])
		}
	}
}
