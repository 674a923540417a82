package stats

import (
	"math/rand/v2"
	"testing"
)

// The cost of what every refresh computes for every slice.
func BenchmarkIntervals(b *testing.B) {
	r := rand.New(rand.NewPCG(39, 40))
	cells := drawCells(r, 64, 1)
	means := make([]MeanCell, 64)
	rows := make([][]float64, 64)
	for i, c := range cells {
		means[i] = MeanCell{c.Expected, c.Observed}
		rows[i] = []float64{c.Observed, c.Expected}
	}
	for _, bm := range []struct {
		name string
		run  func()
	}{
		{"statistic=exact/conversions=3", func() { Calibration(3, 2.5, 0.95) }},
		{"statistic=exact/conversions=1e3", func() { Calibration(1000, 900, 0.95) }},
		{"statistic=exact/conversions=1e6", func() { Calibration(1e6, 9e5, 0.95) }},
		{"statistic=clustered/cells=64", func() { ClusteredRatio(cells, 64, 0.95, SmallSample) }},
		{"statistic=mean/cells=64", func() { ClusteredMean(means, 64, 0.95, SmallSample) }},
		{"statistic=jackknife/cells=64", func() { Jackknife(rows, func(s []float64) (float64, bool) { return Ratio(s[0], s[1]) }) }},
		{"statistic=arms/conversions=1e3", func() { LogArmRatio(Arm{1000, 900, 1}, Arm{3000, 3100, 1}, 0.95) }},
		{"statistic=arms/conversions=5", func() { LogArmRatio(Arm{5, 4, 1}, Arm{30, 31, 1}, 0.95) }},
		{"statistic=student", func() { studentQuantile(0.95, 63) }},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bm.run()
			}
		})
	}
}

func BenchmarkAUCByClusters(b *testing.B) {
	r := rand.New(rand.NewPCG(41, 42))
	cells := make([][]float64, 64)
	for i := range cells {
		cells[i] = make([]float64, 2*DefaultScoreBuckets.N)
		for k := range cells[i] {
			cells[i][k] = float64(r.IntN(4))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		AUCByClusters(cells, 0.95)
	}
}
