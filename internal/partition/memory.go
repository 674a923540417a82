package partition

import (
	"maps"
	"slices"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// Memory is a State in memory, which survives nothing: for tests, and for what
// is measured beside a State on disk.
type Memory struct {
	*join.MemStore
	meta  []byte
	panes map[string][]byte
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{MemStore: join.NewMemStore(), panes: map[string][]byte{}} }

// EachWaiting implements State.
func (m *Memory) EachWaiting(f func(row *join.Row)) error {
	m.Each(func(row *join.Row) {
		if row.Waits() {
			f(row)
		}
	})
	return nil
}

// Meta implements State.
func (m *Memory) Meta() []byte { return m.meta }

// EachPane implements State.
func (m *Memory) EachPane(f func(key, value []byte) error) error {
	for _, key := range slices.Sorted(maps.Keys(m.panes)) {
		if err := f([]byte(key), m.panes[key]); err != nil {
			return err
		}
	}
	return nil
}

// Commit implements State.
func (m *Memory) Commit(meta []byte, panes []Pane) error {
	m.meta = slices.Clone(meta)
	for _, p := range panes {
		if p.Value == nil {
			delete(m.panes, string(p.Key))
			continue
		}
		m.panes[string(p.Key)] = slices.Clone(p.Value)
	}
	return nil
}

// Err implements State.
func (m *Memory) Err() error { return nil }

// Close implements State. The Memory may be opened again.
func (m *Memory) Close() error { return nil }
