package simulate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// The funnel, in the order of stage_index.
const (
	retrieved = iota
	ranked
	auctioned
	won
)

var (
	stages            = []string{"retrieved", "ranked", "auctioned", "won"}
	optimizationTypes = []string{"CPC", "oCPM"}
	itemVersions      = []string{"v12", "v11"}
)

const (
	queryVersion   = "v12"
	oldItemShare   = 0.08 // of the candidates whose embedding is a version behind
	oCPMShare      = 0.6
	partialShare   = 0.15 // of the auctions logged with half of their candidates
	baseLogRate    = -3.6 // ln of a typical true conversion rate
	itemSpread     = 0.7  // standard deviations of ln of the rate, and of the bid
	userSpread     = 0.3
	bidSpread      = 0.5
	teacherNoise   = 0.05
	highestRate    = 0.6
	rankedShare    = 0.4 // of the candidates that the light ranker passes
	auctionedCount = 8
)

// world is the ads system during one run.
type world struct {
	opts    Options
	rng     *rand.Rand
	pending queue[Event]
	scored  []scored // scratch
}

// scored is one candidate while its auction runs.
type scored struct {
	index   int
	truth   float64 // true conversion rate
	light   float64 // what the light ranker sorts by
	utility float64 // what the auction ranks by
}

// user is what a unit id says about its owner.
type user struct {
	unit    uint64
	bucket  float64 // 0..100: in treatment below the ramp
	effect  float64
	segment string
}

func (w *world) user() user {
	index := w.rng.Uint64N(uint64(w.opts.Users))
	unit := mix(index+1, w.opts.Seed)
	own := rand.New(rand.NewPCG(unit, index))
	u := user{unit: unit, bucket: own.Float64() * 100, effect: own.NormFloat64() * userSpread, segment: "core"}
	switch v := own.Float64(); {
	case v < 0.15:
		u.segment, u.effect = "new", u.effect-0.2
	case v < 0.40:
		u.segment = "casual"
	}
	return u
}

// mix hashes v under a salt with the finaliser of SplitMix64; it is never 0,
// which would mean an unknown unit.
func mix(v, salt uint64) uint64 {
	v += salt*2 + 1
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31 | 1
}

// auction runs auction n at timeMs, and puts what follows from it on the queue.
func (w *world) auction(n int, timeMs int64) Event {
	u := w.user()
	p := &eventpb.Prediction{
		AuctionId:             fmt.Sprintf("a%08d", n),
		EventTimeMs:           timeMs,
		UnitId:                u.unit,
		QueryEmbeddingVersion: queryVersion,
		Dimensions:            map[string]string{"segment": u.segment},
	}
	arm := w.assign(p, u)
	effect := baseLogRate + u.effect + w.surface(p)
	count := 20 + w.rng.IntN(31)
	p.Dimensions["log_source"] = "full_requests"
	if w.rng.Float64() < partialShare {
		p.Dimensions["log_source"] = "partial_requests"
		count /= 2
	}
	if w.callTowers(p) {
		w.score(p, arm, effect, count)
		w.funnel(p)
	}
	return Event{event.Predictions, timeMs, p.AuctionId, p}
}

func (w *world) assign(p *eventpb.Prediction, u user) *Arm {
	left := p.EventTimeMs - w.opts.Start.UnixMilli()
	percent := 0.0
	for _, s := range w.opts.Steps {
		percent = s.TreatmentPercent
		if left -= s.Duration.Milliseconds(); left < 0 {
			break
		}
	}
	arm, share := &w.opts.Scenario.Control, 100-percent
	if u.bucket < percent {
		arm, share = &w.opts.Scenario.Treatment, percent
	}
	p.ModelVersion = arm.ModelVersion
	p.Assignments = []*eventpb.Assignment{{Experiment: w.opts.Scenario.Experiment, Arm: arm.Name, RampPercent: share}}
	return arm
}

// surface picks where the ad would be shown and returns its effect on the rate.
func (w *world) surface(p *eventpb.Prediction) float64 {
	name, effect := "home", 0.0
	switch v := w.rng.Float64(); {
	case v < 0.2:
		name, effect = "related", -0.15
	case v < 0.5:
		name, effect = "search", 0.25
	}
	p.Dimensions["surface"] = name
	return effect
}

// callTowers records the calls and reports whether there is anything to score.
func (w *world) callTowers(p *eventpb.Prediction) bool {
	call := func(tower string, medianUs float64) bool {
		c := &eventpb.TowerCall{
			Tower:     tower,
			Outcome:   eventpb.TowerCall_OK,
			LatencyUs: uint32(medianUs * math.Exp(0.4*w.rng.NormFloat64())),
		}
		switch v := w.rng.Float64(); {
		case v < 0.0005:
			c.Outcome = eventpb.TowerCall_ERROR
		case v < 0.003:
			c.Outcome, c.LatencyUs = eventpb.TowerCall_TIMEOUT, 50_000
		}
		p.TowerCalls = append(p.TowerCalls, c)
		return c.Outcome == eventpb.TowerCall_OK
	}
	query := call("query", 8_000)
	item := call("item", 3_000)
	return query && item
}

// funnel decides how far each candidate gets and who wins. The light ranker
// sorts by the model under test, everything behind it by the teacher, so that
// winning says little about the model's own error.
func (w *world) funnel(p *eventpb.Prediction) {
	c := p.Candidates
	c.StageIndex = make([]uint32, len(w.scored))
	slices.SortFunc(w.scored, func(a, b scored) int { return cmp.Compare(b.light, a.light) })
	passed := w.scored[:max(1, int(rankedShare*float64(len(w.scored))))]
	for _, s := range passed {
		c.StageIndex[s.index] = ranked
	}
	slices.SortFunc(passed, func(a, b scored) int { return cmp.Compare(b.utility, a.utility) })
	for _, s := range passed[:min(auctionedCount, len(passed))] {
		c.StageIndex[s.index] = auctioned
	}
	for i, s := range passed[:min(1+w.rng.IntN(2), len(passed))] {
		c.StageIndex[s.index] = won
		if w.rng.Float64() < w.opts.ImpressionRate {
			w.show(p, s, i+1)
		}
	}
}
