package aggregator

import (
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// busyCell is a cell-pane of a busy stream: a hundred auctions a second of a
// hundred candidates, one winner each.
func busyCell(b *testing.B) *Partition {
	b.Helper()
	r := newRand(1)
	opts := testOptions()
	opts.Slices = nil
	p := NewPartition(opts)
	for i := range 1000 {
		e := ordinaryAuction(event.Candidates{})
		c := &e.Candidates
		c.FeatureFamilies = [][]byte{[]byte("user"), []byte("item"), []byte("cross")}
		c.OptTypes = [][]byte{[]byte("CPC"), []byte("oCPM")}
		c.FeaturesAll = ^uint64(0)
		for k := range 100 {
			v := 0.001 + 0.05*r.Float32()*r.Float32()
			c.ItemIDs = append(c.ItemIDs, uint64(k))
			c.Predictions = append(c.Predictions, v)
			c.References = append(c.References, v*(0.7+0.6*r.Float32()))
			c.FeaturesPresent = append(c.FeaturesPresent, r.Uint64N(8))
			c.OptTypeIdx = append(c.OptTypeIdx, r.Uint32N(2))
		}
		for _, m := range c.FeaturesPresent {
			c.FeaturesAny |= m
			c.FeaturesAll &= m
		}
		e.EventTimeMs = floorTo(start, 10_000) + int64(i)*10
		route := p.Route(e)
		cluster := r.Uint64()
		p.Observe(e.EventTimeMs)
		p.Candidates(route, e, cluster, true)
		w := Winner{
			Route: route, TimeMs: e.EventTimeMs, Prediction: c.Predictions[0], Reference: c.References[0], Weight: 1,
			Families: p.Families(e), Features: c.FeaturesPresent[0], OptTypes: p.OptTypes(e), OptType: uint8(c.OptTypeIdx[0]), Cluster: cluster,
		}
		p.Winner(&w)
		if i%50 == 0 {
			p.Label(&w, Outcome{}, Outcome{Positive: true, DelayMs: int64(i) * 1000, Type: p.ConversionType([]byte("buy"))})
		}
	}
	return p
}

// BenchmarkPublish is what a changed cell-pane costs on its way to the merged
// windows, step by step.
func BenchmarkPublish(b *testing.B) {
	u := busyCell(b).Flush()[0]
	key, value := u.AppendKey(nil, 1), u.AppendValue(nil, start)
	b.Run("step=pack", func(b *testing.B) {
		var w packer
		for b.Loop() {
			w.pack(u.Sums)
		}
		b.ReportMetric(float64(len(value)), "bytes")
	})
	b.Run("step=decode", func(b *testing.B) {
		d := NewDecoder(testOptions().Levels)
		for b.Loop() {
			k, _ := d.Key(key)
			if _, _, err := d.Value(k, value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("step=unpack", func(b *testing.B) {
		var s Sums
		for b.Loop() {
			u.packed.unpack(&s)
		}
	})
	b.Run("step=add", func(b *testing.B) {
		var s Sums
		for b.Loop() {
			s.Add(u.Sums)
		}
	})
	b.Run("step=clone", func(b *testing.B) {
		for b.Loop() {
			u.Sums.Clone()
		}
	})
	b.Run("step=merge", func(b *testing.B) {
		m := NewMerged(testOptions())
		at := u
		for n := uint64(1); b.Loop(); n++ {
			at.Version.Sequence = n
			m.Publish(1, start, []Upsert{at})
		}
	})
	b.Run("step=read", func(b *testing.B) {
		for b.Loop() {
			u.Sums.Read(nil)
		}
	})
}

// BenchmarkRefresh reads all numbers of 1,000 slices in three arms, as a refresh
// of the metrics does: some 23 statistics a slice and arm, of which twelve are
// what is promised to take less than 100 ms in all.
func BenchmarkRefresh(b *testing.B) {
	const slices, arms = 1000, 3
	var cells []*Sums
	for range 16 { // more than the caches hold, as slices are
		cells = append(cells, busyCell(b).Flush()[0].Sums.Clone())
	}
	statistics := 0
	for b.Loop() {
		statistics = 0
		for i := range slices * arms {
			r := cells[i%len(cells)].Read(nil)
			statistics += 3 + len(r.Candidates.Estimates.Coverage) + len(r.Candidates.Estimates.PredictionQuantiles) +
				11 + len(r.Winners.Estimates.Coverage)
		}
	}
	ms := b.Elapsed().Seconds() * 1e3 / float64(b.N)
	b.ReportMetric(ms, "ms/refresh")
	b.ReportMetric(ms*1e3/float64(statistics), "us/statistic")
	b.ReportMetric(0, "ns/op")
}
