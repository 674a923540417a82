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
	Version uint64  // of this source; readers keep the highest
	Sums    *Sums   // nil removes the entry
	packed  *packed // the same, where the source has it
	// Cut says that the source's budget has cut the labels of Key, in every arm
	// and ramp, and all that rank above them. Pane and Sums are empty.
	Cut bool
}

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
type Merged struct {
	opts Options

	mu      sync.RWMutex
	newest  int64 // newest event time published by any source, ms
	tracks  map[Key]*track
	budget  *budget
	scratch Sums // of unpacked
	packer  packer
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
	version uint64
	packed  *packed
}

// NewMerged returns an empty Merged.
func NewMerged(opts Options) *Merged {
	m := &Merged{opts: opts, tracks: map[Key]*track{}}
	m.budget = newBudget(opts.MaxSeries, func(k Key) { delete(m.tracks, k) })
	return m
}

// Publish applies what a source partition changed. newestMs is the newest event
// time that the source has seen.
func (m *Merged) Publish(source int32, newestMs int64, upserts []Upsert) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if newestMs > m.newest {
		m.newest = newestMs
		m.slide()
	}
	for i := range upserts {
		if u := &upserts[i]; u.Cut {
			m.budget.cut(u.Key.group())
		} else {
			m.apply(source, u)
		}
	}
}

func (m *Merged) apply(source int32, u *Upsert) {
	t := m.tracks[u.Key]
	if t == nil && u.Sums == nil || !m.budget.allow(u.Key) {
		return
	}
	if t == nil {
		t = &track{key: u.Key, windows: newWindows(len(m.opts.Windows))}
		m.tracks[u.Key] = t
	}
	i, found := slices.BinarySearchFunc(t.panes, u.Pane, comparePane)
	if !found {
		if u.Sums == nil {
			return
		}
		t.panes = slices.Insert(t.panes, i, entry{pane: u.Pane})
		t.inserted(i)
	}
	e := &t.panes[i]
	j, found := slices.BinarySearchFunc(e.parts, source, func(p part, s int32) int { return cmp.Compare(p.source, s) })
	if !found {
		e.parts = slices.Insert(e.parts, j, part{source: source})
	} else if e.parts[j].version >= u.Version {
		return
	}
	old := m.unpacked(e.parts[j].packed)
	e.parts[j].version, e.parts[j].packed = u.Version, u.packed
	if u.packed == nil && u.Sums != nil {
		e.parts[j].packed = m.packer.pack(u.Sums)
	}
	for w := range t.windows {
		if i >= t.windows[w].first {
			t.windows[w].replace(old, u.Sums)
		}
	}
	if u.Sums == nil {
		e.parts = slices.Delete(e.parts, j, j+1)
		if len(e.parts) == 0 {
			t.panes = slices.Delete(t.panes, i, i+1)
			t.removed(i)
		}
		if len(t.panes) == 0 {
			delete(m.tracks, u.Key) // what has expired is as if it had never been
			m.budget.release(u.Key)
		}
	}
	m.slideTrack(t)
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

func comparePane(e entry, p Pane) int {
	return cmp.Or(cmp.Compare(e.pane.StartMs, p.StartMs), cmp.Compare(e.pane.WidthMs, p.WidthMs))
}

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

// Remove forgets all that a source partition has published, because another
// instance answers for it now.
func (m *Merged) Remove(source int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, t := range m.tracks {
		for i := len(t.panes) - 1; i >= 0; i-- {
			e := &t.panes[i]
			j, found := slices.BinarySearchFunc(e.parts, source, func(p part, s int32) int { return cmp.Compare(p.source, s) })
			if found {
				m.apply(source, &Upsert{Key: key, Pane: e.pane, Version: e.parts[j].version + 1})
			}
		}
	}
}
