package apitest

import (
	"fmt"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// StepMs is when Step's treatment comes from 5 % to 50 %: ten minutes after StartMs.
const StepMs = StartMs + 600_000

// Step returns the numbers of an experiment that ramps its treatment from 5 % to
// 50 % after ten minutes, and goes on for n auctions, five a second. Conversions
// are frequent, so that a few thousand auctions decide about calibrations and
// losses. Both arms are alike, unless broken: then the treatment lacks
// offsite_visits after the step, and predicts a third too much.
func Step(n int, broken bool) *aggregator.Merged {
	m := aggregator.NewMerged(Options())
	p := aggregator.NewPartition(Options())
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 3000 + n {
		ms := StartMs + int64(i)*200
		share := 5.0
		if ms >= StepMs {
			share = 50
		}
		arm, ramp := "control", 100-share
		if rng.Float64()*100 < share {
			arm, ramp = "treatment", share
		}
		stepAuction(p, rng, arm, ramp, ms, broken && arm == "treatment" && ms >= StepMs)
	}
	m.Publish(0, p.NewestMs(), p.Flush())
	return m
}

// StepEndMs is the time of the last auction of Step.
func StepEndMs(n int) int64 { return StartMs + int64(3000+n-1)*200 }

func stepAuction(p *aggregator.Partition, rng *rand.Rand, arm string, ramp float64, ms int64, broken bool) {
	e := event.Prediction{
		AuctionID:   fmt.Appendf(nil, "a%d", ms),
		EventTimeMs: ms,
		Assignments: []event.Assignment{{Experiment: []byte(Experiment), Arm: []byte(arm), RampPercent: ramp}},
		TowerCalls:  []event.TowerCall{{Tower: []byte("query"), Outcome: event.OutcomeOK, LatencyUs: uint32(8000 + rng.IntN(2000))}},
	}
	const rate = 0.4
	lift, mask := 1.0, uint64(0b11)
	if broken {
		lift, mask = 4.0/3, 0b01
	}
	c := &e.Candidates
	c.FeatureFamilies = [][]byte{[]byte("user"), []byte("offsite_visits")}
	for i := range 2 {
		c.ItemIDs = append(c.ItemIDs, uint64(i))
		c.References = append(c.References, rate)
		c.Predictions = append(c.Predictions, float32(rate*lift*(0.95+0.1*rng.Float64())))
		c.FeaturesPresent = append(c.FeaturesPresent, mask)
	}
	w := aggregator.Winner{
		Route: add(p, &e), TimeMs: ms + 500, Prediction: c.Predictions[0], Reference: rate, Weight: 1,
		CostMicros: 120_000, Families: p.Families(&e), Features: mask, OptTypes: -1, Cluster: cluster(&e),
	}
	p.Winner(&w)
	if rng.Float64() < rate {
		p.Label(&w, aggregator.Outcome{}, aggregator.Outcome{Positive: true, DelayMs: 20_000, Type: p.ConversionType([]byte("checkout"))})
	}
}
