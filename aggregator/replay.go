package aggregator

// BeginReplay says that the panes of all times come now, in an order that is
// not theirs. Until EndReplay there are no sliding windows, and the budget cuts
// nothing of its own accord: cells of different times, which never were there
// together, would push one another out.
func (m *Merged) BeginReplay() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replay = true
	m.budget.suspended = true
}

// EndReplay says that the panes of all sources are there, as of a moment that
// all of them have had.
func (m *Merged) EndReplay() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replay = false
	m.budget.suspended = false
	m.budget.enforce()
	for _, t := range m.tracks {
		t.windows = newWindows(len(m.opts.Windows))
		for w := range t.windows {
			t.windows[w].first = len(t.panes)
		}
	}
	m.slide()
}

// Wanted reports whether an Upsert of this version that has a value would change
// anything, so that one that is known need not be decoded.
func (m *Merged) Wanted(k *RecordKey, v Version) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return k.Progress || k.Pane.StartMs >= m.opts.Levels.Horizon(m.newest) &&
		m.budget.keeps(k.Key) && !m.outdated(k.Source, k.Key, k.Pane, v)
}

// Cut is the label set at which the budget cuts, as the Key of an Upsert, and
// whether it has cut at all.
func (m *Merged) Cut() (Key, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at := m.budget.cutAt
	return Key{Experiment: at.experiment, Labels: at.labels}, at != group{}
}
