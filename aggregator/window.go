package aggregator

// window is a running sum over the panes of one track from index first on:
// panes join when they are published and leave one by one at the tail, so a
// refresh costs what changed, not what the window holds.
type window struct {
	first int
	sum   Sums
}

func newWindows(n int) []window { return make([]window, n) }

// replace puts new in the place of old; either may be nil.
func (w *window) replace(old, new *Sums) {
	if new != nil {
		w.sum.Add(new)
	}
	if old != nil {
		w.sum.Sub(old)
	}
}

// inserted keeps the tails in place after a pane appeared at index i. A pane
// at a tail's own index counts as inside it: slideTrack takes it out again if
// it is not.
func (t *track) inserted(i int) {
	for w := range t.windows {
		if i < t.windows[w].first {
			t.windows[w].first++
		}
	}
}

// removed keeps the tails in place after the pane at index i went.
func (t *track) removed(i int) {
	for w := range t.windows {
		if i < t.windows[w].first {
			t.windows[w].first--
		}
	}
}
