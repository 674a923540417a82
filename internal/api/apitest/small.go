package apitest

import (
	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// Hostile is an experiment's name that is markup, a path and a query at once.
const Hostile = `"><script>alert(1)</script>/../?a=b&c#d`

// Small returns numbers that can be checked by hand. In experiment openbandit,
// arm bts has two auctions and one conversion; arm random has one auction
// without a winner. One auction of bts is in the experiment Hostile as well.
func Small() *aggregator.Merged {
	m := aggregator.NewMerged(Options())
	p := aggregator.NewPartition(Options())
	families := [][]byte{[]byte("item"), []byte("user")}
	bts := event.Prediction{
		EventTimeMs:           StartMs + 1000,
		QueryEmbeddingVersion: []byte("v7"),
		Assignments: []event.Assignment{
			{Experiment: []byte("openbandit"), Arm: []byte("bts"), RampPercent: 50},
			{Experiment: []byte(Hostile), Arm: []byte("<b>bold</b>"), RampPercent: 0.5},
		},
		Dimensions: []event.Dimension{{Key: []byte("surface"), Value: []byte("home:top")}},
		TowerCalls: []event.TowerCall{{Tower: []byte("query"), Outcome: event.OutcomeOK, LatencyUs: 2000}},
		Candidates: event.Candidates{
			ItemIDs: []uint64{1, 2}, Predictions: []float32{0.25, 0.5}, References: []float32{0.5, 0.5},
			FeaturesPresent: []uint64{0b11, 0b10}, FeatureFamilies: families,
			ItemVersionIdx: []uint32{0, 1}, ItemVersions: [][]byte{[]byte("v7"), []byte("v6")},
			StageIdx: []uint32{1, 0}, Stages: [][]byte{[]byte("ranked"), []byte("won")},
		},
	}
	add(p, &bts)
	w := aggregator.Winner{
		Route: p.Route(&bts), TimeMs: StartMs + 2000, Prediction: 0.25, Reference: 0.5, Weight: 1,
		CostMicros: 3_000_000, Families: p.Families(&bts), Features: 0b11,
		OptTypes: -1, Cluster: cluster(&bts),
	}
	p.Winner(&w)
	p.Label(&w, aggregator.Outcome{}, aggregator.Outcome{Positive: true, DelayMs: 90_000, Type: p.ConversionType([]byte("checkout"))})
	p.Value(&w, 5_000_000)

	later := bts
	later.EventTimeMs = StartMs + 61_000
	later.Assignments = bts.Assignments[:1]
	later.Dimensions = []event.Dimension{{Key: []byte("surface"), Value: []byte("search")}}
	later.TowerCalls = nil
	later.Candidates = event.Candidates{ItemIDs: []uint64{3}, Predictions: []float32{0.125}}
	add(p, &later)

	random := later
	random.EventTimeMs = StartMs + 62_000
	random.Assignments = []event.Assignment{{Experiment: []byte("openbandit"), Arm: []byte("random"), RampPercent: 50}}
	random.Dimensions = nil
	add(p, &random)

	m.Publish(0, p.NewestMs(), p.Flush())
	return m
}

// add counts one auction, as a decoder would hand it on.
func add(p *aggregator.Partition, e *event.Prediction) aggregator.Route {
	c := &e.Candidates
	// What the decoder would say of the masks.
	c.FeaturesAny, c.FeaturesAll = 0, ^uint64(0)
	for _, mask := range c.FeaturesPresent {
		c.FeaturesAny |= mask
		c.FeaturesAll &= mask
	}
	p.Observe(e.EventTimeMs)
	route := p.Route(e)
	p.Candidates(route, e, cluster(e), true)
	p.Calls(route, e)
	return route
}

// cluster takes each auction for a unit of its own.
func cluster(e *event.Prediction) uint64 { return uint64(e.EventTimeMs) * 0x9e3779b97f4a7c15 }
