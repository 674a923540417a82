package join

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// netSink adds up what it is told: what remains must not depend on the order.
// Impressions have their number as cost, by which winners are told apart.
type netSink struct {
	t          *testing.T
	candidates map[string]int
	auctions   map[uint64]int // by cluster
	calls      map[string]int
	winners    map[int64]*netWinner
}

type netWinner struct {
	Winner Winner
	Label  Label
	Value  int64
}

func newNetSink(t *testing.T) *netSink {
	return &netSink{t: t, candidates: map[string]int{}, auctions: map[uint64]int{}, calls: map[string]int{}, winners: map[int64]*netWinner{}}
}

// Auctions of the test are in an arm of their own, so that a route is one.
func (s *netSink) Route(e *event.Prediction) int32  { return int32(e.UnitID) }
func (s *netSink) Families(*event.Prediction) int32 { return 3 }
func (s *netSink) OptTypes(*event.Prediction) int32 { return 5 }

func (s *netSink) ConversionType(name []byte) int32 {
	return int32(len(name)) // "buy" and "view"
}

func (s *netSink) Candidates(route int32, e *event.Prediction, cluster uint64, first bool) {
	c := &e.Candidates
	if first {
		s.auctions[cluster]++
	}
	for i, item := range c.ItemIDs {
		s.candidates[fmt.Sprintf("%d at %d: %d %g %g %d", route, e.EventTimeMs, item, c.Predictions[i], referenceOf(c, i), featuresOf(c, i))]++
	}
}

func (s *netSink) Calls(route int32, e *event.Prediction) {
	for _, c := range e.TowerCalls {
		s.calls[fmt.Sprintf("%d: %s %d %d", route, c.Tower, c.Outcome, c.LatencyUs)]++
	}
}

func (s *netSink) Winner(w *Winner, _ uint64) {
	if s.winners[w.CostMicros] != nil {
		s.t.Errorf("impression %d won twice", w.CostMicros)
	}
	s.winners[w.CostMicros] = &netWinner{Winner: *w}
}

func (s *netSink) known(w *Winner) *netWinner {
	n := s.winners[w.CostMicros]
	if n == nil || n.Winner != *w {
		s.t.Fatalf("a label or value of %+v, which is no winner; known is %+v", w, n)
	}
	return n
}

func (s *netSink) Label(w *Winner, _ uint64, from, to Label) {
	n := s.known(w)
	if n.Label != from || from == to {
		s.t.Errorf("impression %d: label %v to %v, was %v", w.CostMicros, from, to, n.Label)
	}
	n.Label = to
}

func (s *netSink) Value(w *Winner, micros int64) { s.known(w).Value += micros }

// A world is records of the three streams that keep the contract, some of them
// sent twice, and facts that they come to.
type world struct {
	predictions []event.Prediction
	impressions []event.Impression
	conversions []event.Conversion
	endMs       int64
}

var worldOptions = Options{
	Window: 2 * time.Minute, AttributionWindow: 10 * time.Minute, MemoryBytes: 1 << 40, ConversionTypes: []string{"buy"},
}

func randomWorld(r *rand.Rand) *world {
	w := &world{endMs: epoch + 3_600_000}
	at := func(ms, spread int64) int64 { return ms + r.Int64N(2*spread) - spread }
	number := 0 // of the impression
	for a := range 1 + r.IntN(8) {
		id := fmt.Append(nil, "auction ", a)
		ms := epoch + r.Int64N(1_800_000)
		var calls []event.TowerCall
		for range r.IntN(3) {
			calls = append(calls, event.TowerCall{Tower: []byte(pickOne(r, "query", "item")), Outcome: event.Outcome(r.IntN(2)), LatencyUs: uint32(r.IntN(2))})
		}
		item := uint64(0)
		parts := r.IntN(4)
		for range parts {
			var items []candidate
			for range r.IntN(4) {
				items = append(items, candidate{item, 0.01 * float32(1+r.IntN(90)), 0.5 * float32(r.IntN(2)), uint64(r.IntN(4))})
				item++
			}
			e := event.Prediction{
				AuctionID: id, EventTimeMs: ms, UnitID: uint64(a), Candidates: columns(items, r.IntN(2) == 0),
			}
			if r.IntN(2) == 0 {
				e.Candidates.OptTypes = [][]byte{[]byte("CPC"), []byte("oCPM"), []byte("CPM")}
				for range items {
					e.Candidates.OptTypeIdx = append(e.Candidates.OptTypeIdx, r.Uint32N(3))
				}
			}
			if r.IntN(3) > 0 {
				e.TowerCalls = calls
			}
			w.predictions = append(w.predictions, e)
		}
		for range r.IntN(5) {
			n := number
			number++
			i := event.Impression{
				ImpressionID: fmt.Append(nil, "impression ", n), AuctionID: id, ItemID: uint64(r.IntN(int(item) + 2)),
				EventTimeMs: at(ms, 200_000), CostMicros: int64(n),
			}
			if r.IntN(8) > 0 { // else it is lost
				w.impressions = append(w.impressions, i)
			}
			for c := range r.IntN(4) {
				e := event.Conversion{
					ConversionID: fmt.Append(nil, n, " ", c), ImpressionID: i.ImpressionID, EventTimeMs: at(i.EventTimeMs+200_000, 700_000),
					ConversionType: []byte(pickOne(r, "buy", "buy", "view")), ValueMicros: int64(r.IntN(3)),
				}
				w.conversions = append(w.conversions, e)
				if r.IntN(3) == 0 {
					e.EventTimeMs += r.Int64N(1000)
					e.Retracted = true
					w.conversions = append(w.conversions, e)
				}
			}
		}
	}
	return w
}

// play hands the world's records in, in the order given, every repeat-th again,
// and lets time pass now and then.
func (w *world) play(t *testing.T, order []int, repeat int, r *rand.Rand) (*netSink, Counts) {
	t.Helper()
	s := newNetSink(t)
	j := New(worldOptions, NewMemStore(), s)
	for k, n := range order {
		for again := 0; again < 2; again++ {
			if again == 1 && (repeat == 0 || k%repeat != 0) {
				break
			}
			switch p, i := n-len(w.impressions)-len(w.conversions), n-len(w.conversions); {
			case p >= 0:
				// The join may change the record, as it may the decoder's.
				e := w.predictions[p]
				e.Candidates.ItemIDs = slices.Clone(e.Candidates.ItemIDs)
				e.Candidates.Predictions = slices.Clone(e.Candidates.Predictions)
				e.Candidates.References = slices.Clone(e.Candidates.References)
				e.Candidates.FeaturesPresent = slices.Clone(e.Candidates.FeaturesPresent)
				e.Candidates.OptTypeIdx = slices.Clone(e.Candidates.OptTypeIdx)
				j.Prediction(&e, int64(p))
			case i >= 0:
				j.Impression(&w.impressions[i])
			default:
				j.Conversion(&w.conversions[n])
			}
		}
		if r.IntN(5) == 0 {
			j.Advance(epoch + r.Int64N(3_600_000))
		}
	}
	j.Advance(w.endMs)
	return s, j.Counts()
}

// TestOrderDoesNotShow plays random worlds in random orders, with repeats: the
// facts that remain, and what is left without counterpart, are the same.
func TestOrderDoesNotShow(t *testing.T) {
	var winners, labels, unmatched int
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 0x01d))
		w := randomWorld(r)
		n := len(w.predictions) + len(w.impressions) + len(w.conversions)
		want, wantCounts := w.play(t, r.Perm(n), 0, r)
		for range 3 {
			repeat := r.IntN(4)
			got, counts := w.play(t, r.Perm(n), repeat, r)
			if d := cmp.Diff(want.facts(), got.facts()); d != "" {
				t.Fatalf("seed %d: facts in another order (-one +other):\n%s", seed, d)
			}
			for s := range counts.Streams {
				if c := counts.Streams[s]; c.Conflicting != 0 || c.Late != 0 || repeat == 0 && s != int(event.Predictions) && c.Duplicate != 0 {
					t.Fatalf("seed %d: %s: %+v of a world that keeps the contract", seed, event.Stream(s), c)
				}
				counts.Streams[s].Duplicate, wantCounts.Streams[s].Duplicate = 0, 0
			}
			if d := cmp.Diff(wantCounts, counts); d != "" {
				t.Fatalf("seed %d: counts in another order (-one +other):\n%s", seed, d)
			}
		}
		winners += len(want.winners)
		for _, w := range want.winners {
			if w.Label.Positive {
				labels++
			}
		}
		unmatched += int(wantCounts.Streams[event.Impressions].Unmatched)
	}
	if winners < 1000 || labels < 200 || unmatched < 1000 {
		t.Errorf("%d winners, %d labels, %d unmatched impressions: too few to show anything", winners, labels, unmatched)
	}
}

// facts is the sink's sums in a form that can be compared.
func (s *netSink) facts() map[string]any {
	winners := map[int64]netWinner{}
	for k, w := range s.winners {
		winners[k] = *w
	}
	return map[string]any{"candidates": s.candidates, "auctions": s.auctions, "calls": s.calls, "winners": winners}
}
