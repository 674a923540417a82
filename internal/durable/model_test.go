package durable_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/partition"
)

const hour = 3_600_000

// modelRow is what a map remembers of a row.
type modelRow struct {
	row    join.Row
	bucket int64
}

// model is a DB as a plain map.
type model struct {
	rows    map[join.ID]modelRow
	panes   map[string]string
	meta    string
	evicted int64
}

func (m *model) clone() *model {
	c := *m
	c.rows, c.panes = maps.Clone(m.rows), maps.Clone(m.panes)
	return &c
}

func newModel() *model { return &model{rows: map[join.ID]modelRow{}, panes: map[string]string{}} }

// makeRow is a row of random contents with up to conversions conversions.
func makeRow(r *rand.Rand, id join.ID, conversions int) *join.Row {
	row := &join.Row{Facts: join.Facts{
		ID: id, Auction: join.ID{Hi: r.Uint64(), Lo: r.Uint64()}, Item: r.Uint64N(1 << 32),
		State: join.State(r.UintN(16)), Mismatch: join.Mismatch(r.UintN(uint(join.NumMismatches))),
		Winner: join.Winner{
			Route: r.Int32N(20), Features: r.Uint64N(1 << 12), Prediction: r.Float32(), Reference: r.Float32(), Weight: 1,
			TimeMs: 1_790_000_000_000 + r.Int64N(1e9), CostMicros: r.Int64N(1e5), UnitID: r.Uint64(),
		},
	}}
	for range r.IntN(conversions + 1) {
		row.Conversions = append(row.Conversions, join.Conversion{
			ID: join.ID{Hi: r.Uint64(), Lo: r.Uint64()}, TimeMs: r.Int64N(1e12), Value: r.Int64N(1e6), State: join.Seen | join.Counted,
		})
	}
	return row
}

// harness drives a DB and its model.
type harness struct {
	t         *testing.T
	r         *rand.Rand
	fs        *vfs.MemFS
	opts      durable.Options
	db        *durable.DB
	now, kept *model // as put, and as committed
	ids       []join.ID
	zero      int64 // the hour that most rows are of
	name      string
}

func (h *harness) open() {
	h.opts.FS = h.fs
	db, err := durable.Open("state", h.opts)
	if err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
	h.db = db
}

func (h *harness) check(id join.ID) bool {
	var got join.Row
	found := h.db.Get(id, &got)
	want, known := h.now.rows[id]
	if err := h.db.Err(); err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
	if found != known {
		h.t.Fatalf("%s: Get = %v, want %v", h.name, found, known)
	}
	if found && (got.ID != id || !bytes.Equal(join.AppendRow(nil, &want.row), join.AppendRow(nil, &got))) {
		d := cmp.Diff(want.row, got, cmpopts.EquateEmpty())
		h.t.Fatalf("%s: row (-want +got):\n%s", h.name, d)
	}
	return found
}

func (h *harness) put() {
	id := h.ids[h.r.IntN(len(h.ids))]
	if h.r.IntN(8) > 0 { // a Put need not follow a Get
		h.check(id)
	}
	row := makeRow(h.r, id, h.r.IntN(4)*h.r.IntN(4)*h.r.IntN(8))
	ms := (h.zero - h.r.Int64N(3)*h.r.Int64N(8)) * hour
	h.db.Put(row, ms)
	if m, known := h.now.rows[id]; known {
		h.now.rows[id] = modelRow{*row, m.bucket}
	} else {
		h.now.rows[id] = modelRow{*row, max(ms/hour, 0)}
	}
}

func (h *harness) evict() {
	before := (h.zero - 4 - h.r.Int64N(4)) * hour
	h.db.Evict(before, h.r.Int64N(100_000))
	for id, m := range h.now.rows {
		if (m.bucket+1)*hour <= before {
			delete(h.now.rows, id)
		}
	}
	h.now.evicted = max(h.now.evicted, before)
}

func (h *harness) commit() {
	var panes []partition.Pane
	for range h.r.IntN(3) {
		key, value := fmt.Sprint(h.r.IntN(20)), fmt.Appendf(nil, "%d", h.r.Uint64())
		if h.r.IntN(4) == 0 {
			value = nil
			delete(h.now.panes, key)
		} else {
			h.now.panes[key] = string(value)
		}
		panes = append(panes, partition.Pane{Key: []byte(key), Value: value})
	}
	h.now.meta = fmt.Sprint(h.r.Uint64())
	if err := h.db.Commit([]byte(h.now.meta), panes); err != nil {
		h.t.Fatalf("%s: Commit: %v", h.name, err)
	}
	h.kept = h.now.clone()
}

// all compares everything that can be asked for.
func (h *harness) all() {
	h.t.Helper()
	for _, id := range h.ids {
		h.check(id)
	}
	waiting := map[join.ID]join.Row{}
	if err := h.db.EachWaiting(func(row *join.Row) {
		c := *row
		c.Conversions = slices.Clone(row.Conversions)
		if _, twice := waiting[row.ID]; twice {
			h.t.Fatalf("%s: a waiting row comes twice", h.name)
		}
		waiting[row.ID] = c
	}); err != nil {
		h.t.Fatalf("%s: EachWaiting: %v", h.name, err)
	}
	want := map[join.ID]join.Row{}
	for id, m := range h.now.rows {
		if m.row.Waits() {
			want[id] = m.row
		}
	}
	if d := cmp.Diff(want, waiting, cmpopts.EquateEmpty()); d != "" {
		h.t.Fatalf("%s: waiting rows (-want +got):\n%s", h.name, d)
	}
	panes := map[string]string{}
	var order []string
	if err := h.db.EachPane(func(key, value []byte) error {
		panes[string(key)] = string(value)
		order = append(order, string(key))
		return nil
	}); err != nil {
		h.t.Fatalf("%s: EachPane: %v", h.name, err)
	}
	if d := cmp.Diff(h.kept.panes, panes); d != "" || !slices.IsSorted(order) {
		h.t.Fatalf("%s: panes in order %q (-want +got):\n%s", h.name, order, d)
	}
	if got := string(h.db.Meta()); got != h.kept.meta {
		h.t.Fatalf("%s: Meta = %q, want %q", h.name, got, h.kept.meta)
	}
	if got := h.db.EvictedMs(); got != h.now.evicted {
		h.t.Fatalf("%s: EvictedMs = %d, want %d", h.name, got, h.now.evicted)
	}
}

// crash loses what was not committed, and some of what was not synced.
func (h *harness) crash() {
	after := h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: h.r.IntN(101), RNG: h.r})
	_ = h.db.Close()
	h.fs = after
	h.now = h.kept.clone()
	h.open()
	h.all()
}

// TestAgainstMap does random things to a DB and to a map, with crashes between.
func TestAgainstMap(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 0xd15c))
		h := &harness{
			t: t, r: r, fs: vfs.NewCrashableMem(), now: newModel(), kept: newModel(), zero: 497_000,
			opts: durable.Options{CacheBytes: 1 << 20, MemoryBytes: 1 + r.Int64N(1<<18), WriteBytes: 1 << (15 + r.IntN(8))},
		}
		n := 20 + r.IntN(2000)
		for range n {
			// Few tags, so that the index takes strangers for known rows.
			h.ids = append(h.ids, join.ID{Hi: r.Uint64(), Lo: r.Uint64N(uint64(n/2)) << 30})
		}
		h.name = fmt.Sprintf("seed %d", seed)
		h.open()
		for step := range 150 {
			h.name = fmt.Sprintf("seed %d, step %d", seed, step)
			for range r.IntN(300) {
				h.put()
			}
			switch r.IntN(12) {
			case 0:
				h.crash()
			case 1:
				if err := h.db.Close(); err != nil {
					t.Fatalf("%s: Close: %v", h.name, err)
				}
				h.now = h.kept.clone()
				h.open()
			case 2, 3:
				h.evict()
				h.zero += r.Int64N(3)
			case 4:
				h.all()
			default:
				h.commit()
			}
		}
		h.all()
		if err := h.db.Close(); err != nil {
			t.Fatalf("%s: Close: %v", h.name, err)
		}
	}
}
