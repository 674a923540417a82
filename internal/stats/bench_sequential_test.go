package stats

import (
	"math/rand/v2"
	"testing"
)

// The cost of what every refresh computes for every slice.
func BenchmarkSequential(b *testing.B) {
	r := rand.New(rand.NewPCG(71, 72))
	cells := make([]Stratum, 24)
	evidence := make([]LogE, 1000)
	nodes := make([]Node, len(evidence))
	for i := range cells {
		cells[i] = Stratum{Arm{Observed: r.Int64N(30), Expected: 30 * r.Float64()}, Arm{Observed: r.Int64N(60), Expected: 60 * r.Float64()}}
	}
	for i := range evidence {
		evidence[i] = LogE(9 * r.Float64())
		nodes[i] = Node{(i+9)/10 - 1, evidence[i]}
	}
	process, sequence := NewTwoArm(DefaultGrid()), NewTwoArm(SequenceGrid())
	for _, c := range cells {
		process.Add(c)
		sequence.Add(c)
	}
	detector := NewDetector(DefaultGrid())
	arm := Arm{1000, 950, 1.4}
	cohorts := drawCohorts(r, 33, 40, 1, 0.3)
	for _, bm := range []struct {
		name string
		run  func()
	}{
		{"statistic=ratio-e", func() { RatioE(arm) }},
		{"statistic=ratio-sequence", func() { RatioSequence(arm, 0.95) }},
		{"statistic=two-arm-cell", func() { process.Add(cells[0]) }},
		{"statistic=two-arm-e", func() { process.LogE(1.4) }},
		{"statistic=two-arm-sequence-cell", func() { sequence.Add(cells[0]) }},
		{"statistic=two-arm-sequence", func() { sequence.Sequence(0.95, 1.4) }},
		{"statistic=detector-window", func() { detector.AddArm(arm) }},
		{"statistic=proportion-sequence", func() { ProportionSequence(950_000, 1_000_000, 3, 0.95) }},
		{"statistic=asymptotic-sequence", func() { AsymptoticSequence(MeanSums{1000, 300, 150}, 1000, 0.95) }},
		{"statistic=delay-curve/buckets=33", func() { FitDelayCurve(cohorts.Delays, 1) }},
		{"statistic=same-age/buckets=33", func() { SameAgeRatio(cohorts, cohorts, 5, 1, 0.95) }},
		{"statistic=e-bh/slices=1000", func() { EBH(evidence, 0.1) }},
		{"statistic=top-down/slices=1000", func() { OpenTopDown(nodes, 0.1) }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bm.run()
			}
		})
	}
}
