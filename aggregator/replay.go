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

// Standing is what a record would be to a Merged.
type Standing int

const (
	// Fresh records change something, or may.
	Fresh Standing = iota
	// Known ones are there already, in this very version.
	Known
	// Stale ones are older than what is known.
	Stale
	// Refused ones are of a pane beyond the retention, or of labels that were cut.
	Refused
)

// Standing says what a record with a key and version would be, so that one that
// changes nothing need not be decoded. removes says that it has no value.
func (m *Merged) Standing(k *RecordKey, v Version, removes bool) Standing {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if k.Progress {
		return Fresh
	}
	if t := m.tracks[k.Key]; t != nil {
		if i, j, found := t.find(k.Pane, k.Source); found {
			switch t.panes[i].parts[j].version.Compare(v) {
			case 0:
				return Known
			case 1:
				return Stale
			}
		}
	}
	switch {
	case removes:
		return Fresh
	case k.Pane.StartMs < m.opts.Levels.Horizon(m.newest) || !m.budget.keeps(k.Key):
		return Refused
	case m.outdated(k.Source, k.Key, k.Pane, v):
		return Stale
	}
	return Fresh
}

// Cut is the label set at which the budget cuts, as the Key of an Upsert, and
// whether it has cut at all.
func (m *Merged) Cut() (Key, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at := m.budget.cutAt
	return Key{Experiment: at.experiment, Labels: at.labels}, at != group{}
}
