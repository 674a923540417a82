package aggregator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// start is in no way round, but for being late enough for every retention.
const start = 1_790_000_012_345

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0xa66)) }

func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

// dump is every field of s as text: equal for equal contents in equal pages,
// whether a list without entries is nil or empty.
func dump(s *Sums) string { return fmt.Sprintf("%+v", *s) }

// Format keeps dumps short: zeros within a page are left out, empty pages are not.
func (p paged[P]) Format(f fmt.State, _ rune) {
	for i, octave := range p.octaves {
		fmt.Fprintf(f, " %d:", octave)
		switch page := any(&p.pages[i]).(type) {
		case *[finePer]int64:
			for k, n := range page {
				if n != 0 {
					fmt.Fprintf(f, "%d=%d,", k, n)
				}
			}
		default:
			fmt.Fprintf(f, "%+v", p.pages[i])
		}
	}
}

// withoutSpan is dump without FirstMs, LastMs and Units, which Sub leaves alone.
func withoutSpan(s *Sums) string {
	c := *s
	c.FirstMs, c.LastMs, c.Units = 0, 0, Units{}
	return dump(&c)
}

// diff is want against got, in words.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty())
}

func wantSame(t *testing.T, what string, want, got *Sums) {
	t.Helper()
	if dump(want) != dump(got) {
		t.Errorf("%s (-want +got):\n%s", what, diff(want, got))
	}
}

func list(names ...string) [][]byte {
	var out [][]byte
	for _, n := range names {
		out = append(out, []byte(n))
	}
	return out
}

// prediction in (0, 1), mostly of several decades, sometimes extreme.
func randomProbability(r *rand.Rand) float32 {
	switch r.IntN(12) {
	case 0:
		return math.Nextafter32(1, 0)
	case 1:
		return math.Float32frombits(1 + r.Uint32N(1<<23)) // denormal
	case 2:
		return float32(math.Ldexp(float64(2*r.IntN(8)+1), -49)) // half a unit of ProbBits
	}
	return max(float32(math.Exp(-14*r.Float64()))*0.999, 1e-7)
}

// randomCandidates has n candidates and any subset of the optional columns,
// tables without their column among them.
func randomCandidates(r *rand.Rand, n int) event.Candidates {
	var c event.Candidates
	if n == 0 {
		return c
	}
	families := list("user", "visits", "annotations", "image", "shared")[:r.IntN(6)]
	if r.IntN(4) == 0 {
		families = list("image", "user")
	}
	hasReferences, hasMasks := r.IntN(4) > 0, r.IntN(4) > 0
	sameMask := r.IntN(2) == 0
	c.FeatureFamilies = families
	versions, stages, types := r.IntN(3) > 0, r.IntN(3) > 0, r.IntN(3) > 0
	c.ItemVersions = pick(r, list("v1", "v2"), list("v2", "v1", "v0"))
	c.Stages = pick(r, list("retrieved", "ranked", "auctioned", "won"), list("ranked", "won"))
	c.OptTypes = pick(r, nil, list("CPC"), list("oCPM", "CPC"))
	mask := r.Uint64()
	for i := range n {
		c.ItemIDs = append(c.ItemIDs, uint64(i))
		c.Predictions = append(c.Predictions, randomProbability(r))
		if hasReferences {
			c.References = append(c.References, pick(r, 0, randomProbability(r), randomProbability(r)))
		}
		if hasMasks {
			if !sameMask {
				mask = r.Uint64()
			}
			c.FeaturesPresent = append(c.FeaturesPresent, mask&(1<<len(families)-1))
		}
		if versions {
			c.ItemVersionIdx = append(c.ItemVersionIdx, r.Uint32N(uint32(len(c.ItemVersions))))
		}
		if stages {
			c.StageIdx = append(c.StageIdx, r.Uint32N(uint32(len(c.Stages))))
		}
		if types && len(c.OptTypes) > 0 {
			c.OptTypeIdx = append(c.OptTypeIdx, r.Uint32N(uint32(len(c.OptTypes))))
		}
	}
	if hasMasks {
		c.FeaturesAll = ^uint64(0)
		for _, m := range c.FeaturesPresent {
			c.FeaturesAny |= m
			c.FeaturesAll &= m
		}
	}
	if r.IntN(4) > 0 {
		numberTables(&c)
	}
	return c
}

// numberTables numbers the tables by their contents, like a Decoder. It may
// also leave the numbers out.
func numberTables(c *event.Candidates) {
	number := func(table [][]byte) uint32 {
		text := fmt.Sprintf("%q", table)
		if tableNumbers[text] == 0 {
			tableNumbers[text] = uint32(len(tableNumbers) + 1)
		}
		return tableNumbers[text]
	}
	c.TableNumbers[event.FamilyTable] = number(c.FeatureFamilies)
	c.TableNumbers[event.VersionTable] = number(c.ItemVersions)
	c.TableNumbers[event.StageTable] = number(c.Stages)
	c.TableNumbers[event.OptTypeTable] = number(c.OptTypes)
}

var tableNumbers = map[string]uint32{}

func randomAuction(r *rand.Rand, ms int64) *event.Prediction {
	e := &event.Prediction{
		EventTimeMs:           ms,
		UnitID:                pick(r, 0, 7, r.Uint64(), r.Uint64()),
		SampleWeight:          pick[float32](r, 0, 0, 0, 1, 2.5, 0.5, 1.5, 1000),
		QueryEmbeddingVersion: pick(r, nil, []byte("v1"), []byte("v2")),
		Candidates:            randomCandidates(r, pick(r, 0, 1, 2, 9)),
	}
	for _, x := range pick(r, list("x"), list("x", "y"), list("y", "x", "z")) {
		e.Assignments = append(e.Assignments, event.Assignment{
			Experiment: x, Arm: pick(r, list("control", "treatment")...), RampPercent: pick(r, 20.0, 70),
		})
	}
	// Sorted by name, as the decoder leaves them.
	if r.IntN(3) > 0 {
		e.Dimensions = append(e.Dimensions, event.Dimension{Key: []byte("country"), Value: pick(r, list("de", "jp")...)})
	}
	if r.IntN(4) > 0 {
		e.Dimensions = append(e.Dimensions, event.Dimension{Key: []byte("surface"), Value: pick(r, list("home", "search", "")...)})
	}
	e.Dimensions = append(e.Dimensions, event.Dimension{Key: []byte("unused"), Value: []byte{byte('a' + r.IntN(3))}})
	for range r.IntN(3) {
		e.TowerCalls = append(e.TowerCalls, event.TowerCall{
			Tower: pick(r, list("query", "item")...), Outcome: event.Outcome(r.IntN(4)), LatencyUs: pick(r, 0, r.Uint32N(100_000), math.MaxUint32),
		})
	}
	return e
}

// fact is one thing that the join tells a Partition.
type fact struct {
	auction *event.Prediction
	winner  int // which candidate; -1: the fact is the auction itself
	ms      int64
	label   int // +1, -1, 0: the winner itself
	value   int64
}

// apply tells p the fact.
func (f *fact) apply(p *Partition) {
	route := p.Route(f.auction)
	if f.winner < 0 {
		p.Observe(f.auction.EventTimeMs)
		p.Candidates(route, f.auction, f.auction.UnitID*0x9e3779b97f4a7c15, true)
		if len(f.auction.TowerCalls) > 0 {
			p.Calls(route, f.auction)
		}
		return
	}
	p.Observe(f.ms)
	c := &f.auction.Candidates
	w := Winner{
		Route: route, TimeMs: f.ms, Prediction: c.Predictions[f.winner], Weight: f.auction.Weight(),
		CostMicros: 250_000 + f.ms%7, Families: -1, OptTypes: -1, Cluster: f.auction.UnitID * 0x9e3779b97f4a7c15,
		Propensity: float32(f.ms%5) / 4,
	}
	if len(c.OptTypeIdx) > 0 {
		w.OptTypes, w.OptType = p.OptTypes(f.auction), uint8(c.OptTypeIdx[f.winner])
	}
	positive := Outcome{Positive: true, DelayMs: f.ms % 7_000_000, Type: p.ConversionType([]byte(pickName(f.ms)))}
	if len(c.References) > 0 {
		w.Reference = c.References[f.winner]
	}
	if len(c.FeaturesPresent) > 0 {
		w.Families, w.Features = p.Families(f.auction), c.FeaturesPresent[f.winner]
	}
	switch {
	case f.value != 0:
		p.Value(&w, f.value)
	case f.label != 0:
		if f.label > 0 {
			p.Label(&w, Outcome{}, positive)
		} else {
			p.Label(&w, positive, Outcome{})
		}
	default:
		p.Winner(&w)
	}
}

func pickName(ms int64) string { return []string{"click", "checkout"}[ms%2] }

// randomFacts are n auctions over a span of event time and what follows from
// them, in event-time order but for the labels, some of which come late.
func randomFacts(r *rand.Rand, n int, span time.Duration) []fact {
	var out []fact
	for i := range n {
		ms := start + int64(i)*span.Milliseconds()/int64(n) - r.Int64N(30_000)
		a := randomAuction(r, ms)
		out = append(out, fact{auction: a, winner: -1})
		for w := range min(2, a.Candidates.Len()) {
			f := fact{auction: a, winner: w, ms: ms + r.Int64N(120_000)}
			out = append(out, f)
			if r.IntN(2) == 0 {
				f.label = 1
				out = append(out, f)
				v := f
				v.label, v.value = 0, pick[int64](r, 5_000_000, -3)
				out = append(out, v)
				if r.IntN(3) == 0 {
					f.label = -1
					out = append(out, f)
				}
			}
		}
	}
	return out
}
