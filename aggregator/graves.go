package aggregator

import (
	"cmp"
	"slices"
)

// grave remembers the version under which one source has said that a pane is
// gone, or that a newer, finer pane has displaced. Nothing older that overlaps
// it counts.
type grave struct {
	pane    Pane
	source  int32
	version Version
}

func (g grave) compare(p Pane, source int32) int {
	return cmp.Or(g.pane.compare(p), cmp.Compare(g.source, source))
}

func findGrave(of []grave, p Pane, source int32) (int, bool) {
	return slices.BinarySearchFunc(of, p, func(g grave, p Pane) int { return g.compare(p, source) })
}

// outdated reports whether something newer is known of a pane than version v,
// or of a pane of the same source and cell that overlaps it.
func (m *Merged) outdated(source int32, k Key, p Pane, v Version) (yes bool) {
	newer := func(q Pane, at Version) {
		yes = yes || v.Less(at) || q == p && v == at
	}
	if t := m.tracks[k]; t != nil {
		m.eachPart(t, source, p, func(i, j int) { newer(t.panes[i].pane, t.panes[i].parts[j].version) })
	}
	m.eachGrave(k, source, p, func(g *grave) { newer(g.pane, g.version) })
	return yes
}

// eachPart calls f with the places of a source's parts that overlap p, the last
// first, so that f may remove them.
func (m *Merged) eachPart(t *track, source int32, p Pane, f func(i, j int)) {
	from, _ := slices.BinarySearchFunc(t.panes, Pane{StartMs: p.StartMs}, comparePane)
	to, _ := slices.BinarySearchFunc(t.panes, Pane{StartMs: p.EndMs()}, comparePane)
	for i := to - 1; i >= from; i-- {
		if j, found := t.panes[i].find(source); found {
			f(i, j)
		}
	}
	m.opts.Levels.wider(p, func(w Pane) {
		if w.StartMs == p.StartMs {
			return // among those above
		}
		if i, j, found := t.find(w, source); found {
			f(i, j)
		}
	})
}

// eachGrave calls f with a source's graves that overlap p.
func (m *Merged) eachGrave(k Key, source int32, p Pane, f func(*grave)) {
	of := m.graves[k]
	if len(of) == 0 {
		return
	}
	first := func(ms int64) int {
		i, _ := slices.BinarySearchFunc(of, ms, func(g grave, ms int64) int { return cmp.Compare(g.pane.StartMs, ms) })
		return i
	}
	for i, to := first(p.StartMs), first(p.EndMs()); i < to; i++ {
		if of[i].source == source {
			f(&of[i])
		}
	}
	m.opts.Levels.wider(p, func(w Pane) {
		if w.StartMs == p.StartMs {
			return
		}
		if i, found := findGrave(of, w, source); found {
			f(&of[i])
		}
	})
}

// cover takes out the graves of which u says all that they do.
func (m *Merged) cover(source int32, u *Upsert) {
	of := m.graves[u.Key]
	if len(of) == 0 {
		return
	}
	m.setGraves(u.Key, slices.DeleteFunc(of, func(g grave) bool {
		return g.source == source && u.Pane.holds(g.pane) && !u.Version.Less(g.version)
	}))
}

// bury remembers that p is gone since version v, unless something as new that
// holds all of p says so anyway, or nothing of it would be let in.
func (m *Merged) bury(source int32, k Key, p Pane, v Version) {
	covered := p.StartMs < m.opts.Levels.Horizon(m.newest) || !m.budget.keeps(k)
	if t := m.tracks[k]; t != nil {
		m.eachPart(t, source, p, func(i, j int) {
			q := &t.panes[i]
			covered = covered || q.pane.holds(p) && !q.parts[j].version.Less(v)
		})
	}
	of := m.graves[k]
	i, found := findGrave(of, p, source)
	switch {
	case covered:
	case !found:
		m.graves[k] = slices.Insert(of, i, grave{pane: p, source: source, version: v})
	case of[i].version.Less(v):
		of[i].version = v
	}
}

func (m *Merged) setGraves(k Key, of []grave) {
	if len(of) == 0 {
		delete(m.graves, k)
		return
	}
	m.graves[k] = of
}

// dropGraves forgets the graves of panes that are not let in any more.
func (m *Merged) dropGraves() {
	horizon := m.opts.Levels.Horizon(m.newest)
	if horizon <= m.buried {
		return
	}
	m.buried = horizon
	for k, of := range m.graves {
		m.setGraves(k, slices.DeleteFunc(of, func(g grave) bool { return g.pane.StartMs < horizon }))
	}
}
