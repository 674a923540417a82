package aggregator

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Upsert sets what one source partition knows of one cell in one pane. Values
// are cumulative and immutable: whoever receives one keeps the pointer and must
// not change the sums.
type Upsert struct {
	Key     Key
	Pane    Pane
	Version Version // of this source; readers keep the highest
	Sums    *Sums   // nil removes the entry, unless packed is set
	packed  *packed // the same, where the source has it
	// Progress says that the Upsert is about the source itself: how far it is.
	// Pane and Sums are empty.
	Progress bool
	// Cut says, of a Progress, that the source's budget has cut the labels of
	// Key, in every arm and ramp, and all that rank above them.
	Cut bool
}

// removes reports whether u says that its pane is gone.
func (u *Upsert) removes() bool { return u.Sums == nil && u.packed == nil && !u.Progress }

// Options configures the aggregator.
type Options struct {
	Levels            Levels
	Windows           []time.Duration
	Slices            [][]string // breakdowns kept beside the total
	EachDimension     bool       // keep each dimension seen, singly, beside Slices
	MaxSeries         int        // cells with labels that may be kept; see budget
	AttributionWindow time.Duration
}

// Merged holds the newest value of every cell and pane from every source
// partition, and answers queries from their sums. It is safe for concurrent use.
//
// What it holds is a function of the set of Upserts that it was given, whatever
// their order and however often each came: of each pane the highest version
// counts, and of panes of one source and cell that overlap, the newest alone.
// The second rule is what makes a roll-up safe. A source's panes never overlap
// at any one version, so that a minute says of the fine panes in it which are
// older that they are gone, and a fine pane says so of an older minute. A reader
// therefore moves from one to the other with a single Upsert, and needs no word
// on the others; it can miss them, see them first or see them again.
//
// For this to hold, an owner that begins with an older state than the one
// published has to publish anew what it finds overlapped; see Reconcile and
// Correct. What was removed is remembered, as a grave, as long as nothing newer
// covers it and it could come back.
type Merged struct {
	opts Options

	mu       sync.RWMutex
	newest   int64 // newest event time published by any source, ms
	tracks   map[Key]*track
	graves   map[Key][]grave // sorted by pane, then source
	budget   *budget
	scratch  Sums // of unpacked
	incoming Sums
	packer   packer
	replay   bool  // the topic is being read from its beginning
	buried   int64 // horizon up to which graves have been dropped
}

// track is one cell over time.
type track struct {
	key     Key
	panes   []entry // sorted by start, then width
	windows []window
}

// entry is one pane of a track, by source partition.
type entry struct {
	pane  Pane
	parts []part
}

type part struct {
	source  int32
	version Version
	packed  *packed
}

// NewMerged returns an empty Merged.
func NewMerged(opts Options) *Merged {
	m := &Merged{opts: opts, tracks: map[Key]*track{}, graves: map[Key][]grave{}}
	m.budget = newBudget(opts.MaxSeries, func(k Key) {
		delete(m.tracks, k)
		delete(m.graves, k) // no version of it will be let in again
	})
	return m
}

// Publish applies what a source partition changed. newestMs is the newest event
// time that the source has seen.
func (m *Merged) Publish(source int32, newestMs int64, upserts []Upsert) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if newestMs > m.newest {
		m.newest = newestMs
		if !m.replay {
			m.slide()
		}
		m.dropGraves()
	}
	for i := range upserts {
		switch u := &upserts[i]; {
		case u.Cut:
			m.budget.cut(u.Key.group())
		case u.Progress:
		case u.removes():
			m.remove(source, u)
		default:
			m.apply(source, u)
		}
	}
}

func (m *Merged) apply(source int32, u *Upsert) {
	if u.Pane.StartMs < m.opts.Levels.Horizon(m.newest) || m.outdated(source, u.Key, u.Pane, u.Version) || !m.budget.allow(u.Key) {
		return
	}
	t := m.tracks[u.Key]
	if t == nil {
		t = &track{key: u.Key, windows: newWindows(len(m.opts.Windows))}
		m.tracks[u.Key] = t
	}
	m.clear(t, source, u)
	m.cover(source, u)
	i, found := slices.BinarySearchFunc(t.panes, u.Pane, comparePane)
	if !found {
		t.panes = slices.Insert(t.panes, i, entry{pane: u.Pane})
		t.inserted(i)
	}
	e := &t.panes[i]
	j, found := e.find(source)
	if !found {
		e.parts = slices.Insert(e.parts, j, part{source: source})
	}
	if !m.replay {
		sums := u.Sums
		if sums == nil {
			sums = &m.incoming
			u.packed.unpack(sums)
		}
		old := m.unpacked(e.parts[j].packed)
		if old != nil {
			old.Sub(sums) // what has changed is less than either
		}
		for w := range t.windows {
			switch {
			case i < t.windows[w].first:
			case old != nil:
				t.windows[w].sum.Sub(old)
			default:
				t.windows[w].replace(nil, sums)
			}
		}
	}
	e.parts[j].version, e.parts[j].packed = u.Version, u.packed
	if u.packed == nil {
		e.parts[j].packed = m.packer.pack(u.Sums)
	}
	if !m.replay {
		m.slideTrack(t)
	}
}

// remove takes out a pane that its source does not have any more, and what is
// older and overlaps it: the source had neither then.
func (m *Merged) remove(source int32, u *Upsert) {
	m.bury(source, u.Key, u.Pane, u.Version)
	if t := m.tracks[u.Key]; t != nil && m.clear(t, source, u) {
		m.tidy(t)
	}
}

// clear drops the parts of u's source that overlap u's pane and are older, and
// reports whether there were any.
func (m *Merged) clear(t *track, source int32, u *Upsert) (any bool) {
	m.eachPart(t, source, u.Pane, func(i, j int) {
		pane, version := t.panes[i].pane, t.panes[i].parts[j].version
		if !version.Less(u.Version) || pane == u.Pane && !u.removes() {
			return // it stays, or is replaced
		}
		any = true
		m.drop(t, i, j)
		if !u.Pane.holds(pane) {
			m.bury(source, u.Key, pane, version)
		}
	})
	return any
}

// drop takes the part of one source out of pane i.
func (m *Merged) drop(t *track, i, j int) {
	e := &t.panes[i]
	if !m.replay {
		old := m.unpacked(e.parts[j].packed)
		for w := range t.windows {
			if i >= t.windows[w].first {
				t.windows[w].replace(old, nil)
			}
		}
	}
	e.parts = slices.Delete(e.parts, j, j+1)
	if len(e.parts) == 0 {
		t.panes = slices.Delete(t.panes, i, i+1)
		t.removed(i)
	}
}

// tidy follows a removal. A track whose panes have all gone is as if it had
// never been.
func (m *Merged) tidy(t *track) {
	if len(t.panes) == 0 {
		delete(m.tracks, t.key)
		m.budget.release(t.key)
		return
	}
	if !m.replay {
		m.slideTrack(t)
	}
}

func (e *entry) find(source int32) (int, bool) {
	return slices.BinarySearchFunc(e.parts, source, func(p part, s int32) int { return cmp.Compare(p.source, s) })
}

// find returns the places of a pane and of a source's part in it.
func (t *track) find(p Pane, source int32) (i, j int, ok bool) {
	if i, ok = slices.BinarySearchFunc(t.panes, p, comparePane); ok {
		j, ok = t.panes[i].find(source)
	}
	return i, j, ok
}

// unpacked is a part's sums in the scratch of those who hold the write lock: it
// is good until the next call. nil stays nil.
func (m *Merged) unpacked(p *packed) *Sums {
	if p == nil {
		return nil
	}
	p.unpack(&m.scratch)
	return &m.scratch
}

func comparePane(e entry, p Pane) int { return e.pane.compare(p) }

// slide moves every window's tail behind the newest event.
func (m *Merged) slide() {
	for _, t := range m.tracks {
		m.slideTrack(t)
	}
}

func (m *Merged) slideTrack(t *track) {
	end := m.windowEnd()
	for w := range t.windows {
		from := end - m.opts.Windows[w].Milliseconds()
		win := &t.windows[w]
		// A pane that has widened since it left may end inside again.
		for win.first > 0 && m.endMs(&t.panes[win.first-1]) > from {
			win.first--
			for _, p := range t.panes[win.first].parts {
				win.replace(nil, m.unpacked(p.packed))
			}
		}
		for win.first < len(t.panes) && m.endMs(&t.panes[win.first]) <= from {
			for _, p := range t.panes[win.first].parts {
				win.replace(m.unpacked(p.packed), nil)
			}
			win.first++
		}
	}
}

// endMs is the end of an entry's pane at the width that it has by the newest
// event of all sources, so that it does not depend on how far one has come.
func (m *Merged) endMs(e *entry) int64 { return m.opts.Levels.At(e.pane.StartMs, m.newest).EndMs() }

// windowEnd is the end of the pane of the newest event: where windows end.
func (m *Merged) windowEnd() int64 {
	return m.opts.Levels.At(m.newest, m.newest).EndMs()
}

// NewestMs is the newest event time published by any source, 0 before the first.
func (m *Merged) NewestMs() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.newest
}

// SeriesDropped is how many cells the series budget has cut.
func (m *Merged) SeriesDropped() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.budget.dropped
}

// Remove forgets all that a source partition has published.
func (m *Merged) Remove(source int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tracks {
		for i := len(t.panes) - 1; i >= 0; i-- {
			if j, found := t.panes[i].find(source); found {
				m.drop(t, i, j)
			}
		}
		m.tidy(t)
	}
	for k, of := range m.graves {
		m.setGraves(k, slices.DeleteFunc(of, func(g grave) bool { return g.source == source }))
	}
}
