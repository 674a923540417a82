// Package apitest owns made-up numbers for tests of the API, its page and its
// metrics: an experiment in the middle of a ramp, and a pipeline that says what
// it is told to.
//
// It goes through the aggregator as the service does, so that what tests see is
// what the service would show. It is imported by tests only.
package apitest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// StartMs is the event time of the first auction: 2026-11-02 09:00 UTC.
const StartMs = 1793610000000

// Experiment is the name of the made-up experiment.
const Experiment = "l1-cvr-v2"

// Options are the aggregator options of the made-up data.
func Options() aggregator.Options {
	return aggregator.Options{
		Levels:            aggregator.DefaultLevels(),
		Windows:           []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour},
		Slices:            [][]string{{"surface"}, {"country", "surface"}},
		MaxSeries:         30000,
		AttributionWindow: 30 * time.Minute,
	}
}

// Ramp returns the numbers of n auctions of one experiment, one a second, which
// ramps its treatment from 20 % to 70 % half-way. The treatment's offsite_visits
// family is missing and its predictions are too high. It is the same each time.
func Ramp(n int) *aggregator.Merged {
	m := aggregator.NewMerged(Options())
	p := aggregator.NewPartition(Options())
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		share := 20.0
		if i >= n/2 {
			share = 70
		}
		arm, ramp := "control", 100-share
		if rng.Float64()*100 < share {
			arm, ramp = "treatment", share
		}
		auction(p, rng, arm, ramp, StartMs+int64(i)*1000)
	}
	m.Publish(0, p.NewestMs(), p.Flush())
	return m
}

var families = [][]byte{[]byte("annotations"), []byte("image_embedding"), []byte("offsite_visits"), []byte("user")}

func auction(p *aggregator.Partition, rng *rand.Rand, arm string, ramp float64, ms int64) {
	const candidates = 40
	surface := []string{"home", "search", "related"}[rng.IntN(3)]
	e := event.Prediction{
		AuctionID:             fmt.Appendf(nil, "a%d", ms),
		EventTimeMs:           ms,
		QueryEmbeddingVersion: []byte("v42"),
		Assignments:           []event.Assignment{{Experiment: []byte(Experiment), Arm: []byte(arm), RampPercent: ramp}},
		Dimensions: []event.Dimension{
			{Key: []byte("country"), Value: []byte([]string{"DE", "US"}[rng.IntN(2)])},
			{Key: []byte("surface"), Value: []byte(surface)},
		},
		TowerCalls: []event.TowerCall{call(rng, "item", 3000), call(rng, "query", 9000)},
	}
	c := &e.Candidates
	c.FeatureFamilies = families
	c.ItemVersions = [][]byte{[]byte("v40"), []byte("v41"), []byte("v42")}
	c.Stages = [][]byte{[]byte("retrieved"), []byte("ranked"), []byte("won")}
	for i := range candidates {
		reference := 0.002 * (1 + 30*rng.Float64()*rng.Float64())
		mask := uint64(0b1001)
		if rng.Float64() < 0.93 {
			mask |= 0b0010
		}
		lift := 1.02
		if arm == "treatment" {
			lift = 1.21
		}
		if limit := map[string]float64{"control": 0.97, "treatment": 0.03}[arm]; rng.Float64() < limit {
			mask |= 0b0100
		}
		c.ItemIDs = append(c.ItemIDs, uint64(i))
		c.References = append(c.References, float32(reference))
		c.Predictions = append(c.Predictions, float32(reference*lift*(0.8+0.4*rng.Float64())))
		c.FeaturesPresent = append(c.FeaturesPresent, mask)
		c.ItemVersionIdx = append(c.ItemVersionIdx, uint32(min(2, rng.IntN(5))))
		c.StageIdx = append(c.StageIdx, uint32(min(2, i*3/candidates)))
	}
	route := add(p, &e)
	for i := candidates - 3; i < candidates; i++ {
		w := aggregator.Winner{
			Route: route, TimeMs: ms + 2000, Prediction: c.Predictions[i], Reference: c.References[i], Weight: 1,
			CostMicros: 120_000, Families: p.Families(&e), Features: c.FeaturesPresent[i],
			OptTypes: -1, Cluster: cluster(&e),
		}
		p.Winner(&w)
		if rng.Float64() < float64(c.References[i]) {
			p.Label(&w, aggregator.Outcome{}, aggregator.Outcome{Positive: true, DelayMs: 90_000, Type: p.ConversionType([]byte("checkout"))})
			p.Value(&w, 9_000_000)
		}
	}
}

func call(rng *rand.Rand, tower string, us float64) event.TowerCall {
	outcome := event.OutcomeOK
	if rng.Float64() < 0.002 {
		outcome = event.OutcomeTimeout
	}
	return event.TowerCall{Tower: []byte(tower), Outcome: outcome, LatencyUs: uint32(us * (0.6 + 0.5*rng.ExpFloat64()))}
}
