package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// hostile draws inputs that nothing ought to be given, among some that are
// right, so that both get as far as they can.
type hostile struct{ *rand.Rand }

func (h hostile) float() float64 {
	edge := []float64{
		0, 1, -1, 0.5, 2, 10, 1e-7, 1e-300, math.SmallestNonzeroFloat64, 1e18, 1 << 62, 1e300, math.MaxFloat64,
		math.NaN(), math.Inf(1), math.Inf(-1), -1e300, math.Copysign(0, -1), 1 - 1e-16, 1e-5,
	}
	switch h.IntN(3) {
	case 0:
		return edge[h.IntN(len(edge))]
	case 1:
		return h.Float64()
	default:
		return math.Exp(20 * h.NormFloat64())
	}
}

func (h hostile) count() int64 {
	edge := []int64{0, 1, 2, 9, 10, 31, 1000, 1e6, 1e12, 1 << 62, math.MaxInt64, -1, math.MinInt64}
	if h.IntN(2) == 0 {
		return edge[h.IntN(len(edge))]
	}
	return h.Int64N(200)
}

func (h hostile) level() float64 {
	edge := []float64{0.95, 0.9, 0.999999, 0.5, 0, 1, -1, 2, math.NaN(), math.Inf(1)}
	return edge[h.IntN(len(edge))]
}

func some[T any](h hostile, draw func() T) []T {
	out := make([]T, h.IntN(6))
	for i := range out {
		out[i] = draw()
	}
	return out
}

func (h hostile) cell() Cell { return Cell{h.float(), h.float()} }
func (h hostile) arm() Arm   { return Arm{h.count(), h.float(), h.float()} }
func (h hostile) bin() Bin   { return Bin{h.count(), h.float(), h.float(), h.float()} }
func (h hostile) row() Labelled {
	return Labelled{h.float(), float64(h.IntN(2))}
}

// unsound finds what must not be in a result: NaN, infinities, and intervals
// that do not hold their value.
func unsound(path string, v reflect.Value) []string {
	var out []string
	switch v.Kind() {
	case reflect.Float64:
		if !finite(v.Float()) {
			out = append(out, fmt.Sprintf("%s = %g", path, v.Float()))
		}
	case reflect.Struct:
		if e, ok := v.Interface().(Estimate); ok {
			if e.HasValue() && (e.HasLow() && e.Low > e.Value || e.HasHigh() && e.High < e.Value) || e.HasLow() && e.HasHigh() && e.Low > e.High {
				out = append(out, fmt.Sprintf("%s = %+v does not hold its value", path, e))
			}
			if e.Status == OK && !e.HasValue() {
				out = append(out, fmt.Sprintf("%s = %+v is ok without a value", path, e))
			}
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out = append(out, unsound(path+"."+v.Type().Field(i).Name, v.Field(i))...)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			out = append(out, unsound(fmt.Sprintf("%s[%d]", path, i), v.Index(i))...)
		}
	}
	return out
}

func sound(t *testing.T, in any, results ...any) {
	t.Helper()
	for i, r := range results {
		for _, problem := range unsound(fmt.Sprintf("result %d", i), reflect.ValueOf(r)) {
			t.Errorf("in %+v: %s", in, problem)
		}
	}
}

// both turns the results of a call into a list.
func both[A, B any](a A, b B) []any { return []any{a, b} }

// No input may give NaN, an infinity, a panic, or an interval beside its value.
func TestHostileInputs(t *testing.T) {
	ratio := func(s []float64) (float64, bool) { return Ratio(s[0], s[1]) }
	for name, try := range map[string]func(h hostile) (in any, results []any){
		"exact ratio": func(h hostile) (any, []any) {
			o, e, l := h.count(), h.float(), h.level()
			return []any{o, e, l}, append(both(ObservedOverExpected(o, e, l)), both(Calibration(o, e, l))...)
		},
		"poisson": func(h hostile) (any, []any) {
			n, l := h.count(), h.level()
			return []any{n, l}, both(PoissonInterval(n, l))
		},
		"weighted": func(h hostile) (any, []any) {
			s, l := WeightedSums{h.count(), h.float(), h.float(), h.float(), h.float()}, h.level()
			return []any{s, l}, both(s.Ratio(l))
		},
		"clusters": func(h hostile) (any, []any) {
			cells, n, l := some(h, h.cell), h.count(), h.level()
			out := append(both(ClusteredRatio(cells, n, l, SmallSample)), both(FiellerByClusters(cells, n, l))...)
			return []any{cells, n, l}, append(out, both(DesignEffectOf(cells))...)
		},
		"means": func(h hostile) (any, []any) {
			cells := some(h, func() MeanCell { return MeanCell{h.float(), h.float()} })
			l := h.level()
			return []any{cells, l}, both(ClusteredMean(cells, h.count(), l, LargeSample))
		},
		"jackknife": func(h hostile) (any, []any) {
			rows := some(h, func() []float64 { return []float64{h.float(), h.float()} })
			j, _ := Jackknife(rows, ratio)
			return rows, append([]any{j}, both(j.Estimate(1, h.level()))...)
		},
		"fieller": func(h hostile) (any, []any) {
			m, l, df := Moments{h.float(), h.float(), h.float(), h.float(), h.float()}, h.level(), h.float()
			return []any{m, l, df}, both(FiellerRatio(m, l, df, h.count()))
		},
		"arms": func(h hostile) (any, []any) {
			a, b, l := h.arm(), h.arm(), h.level()
			out := append(both(LogArmRatio(a, b, l)), both(ExactArmRatio(a, b, l))...)
			return []any{a, b, l}, append(out, both(ConditionalTest(a, b))...)
		},
		"strata": func(h hostile) (any, []any) {
			s, l := some(h, func() Stratum { return Stratum{h.arm(), h.arm()} }), h.level()
			return []any{s, l}, both(StratifiedArmRatio(s, l))
		},
		"bins": func(h hostile) (any, []any) {
			bins, l := some(h, h.bin), h.level()
			out := append(both(ExpectedCalibrationError(bins)), both(HosmerLemeshow(bins))...)
			return []any{bins, l}, append(append(out, both(LogMAEOnLabels(bins))...), Reliability(bins, l))
		},
		"cox": func(h hostile) (any, []any) {
			bins := some(h, func() LogitBin { return LogitBin{float64(h.count()), float64(h.count()), h.float()} })
			return bins, both(FitCox(bins))
		},
		"rows": func(h hostile) (any, []any) {
			rows := some(h, h.row)
			var z SpiegelhalterSums
			var l LossSums
			var b BrierBin
			var s TeacherSums
			for _, r := range rows {
				z.AddRow(r.P, r.Y)
				l.AddRow(r.P, r.Y, h.float())
				b.AddRow(r.P, r.Y, h.float())
				s.AddRow(r.P, h.float(), h.float())
			}
			out := append(both(z.Test()), both(l.NormalizedEntropy(h.float()))...)
			out = append(append(out, both(DecomposeBrier([]BrierBin{b}))...), both(s.LogMAE())...)
			auc, v, _ := DeLongVariance(rows)
			smooth, _ := GridSmoothECE(rows, h.float())
			return rows, append(out, auc, v, smooth, EqualMassBins(rows, h.IntN(4)), SweepBins(rows))
		},
		"ranking": func(h hostile) (any, []any) {
			p, n := some(h, h.float), some(h, h.float)
			cells := some(h, func() []float64 { return []float64{h.float(), h.float(), h.float(), h.float()} })
			l := h.level()
			return []any{p, n, cells, l}, append(both(RankingOf(p, n)), both(AUCByClusters(cells, l))...)
		},
		"loss by clusters": func(h hostile) (any, []any) {
			cells, l := some(h, func() MeanCell { return MeanCell{h.float(), h.float()} }), h.level()
			return []any{cells, l}, both(ClusteredLoss(cells, h.count(), l, SmallSample))
		},
		"entropy by clusters": func(h hostile) (any, []any) {
			cells := some(h, func() LossSums { return LossSums{h.count(), h.float(), h.float(), h.float(), h.float()} })
			return cells, both(NormalizedEntropyByClusters(cells, h.float(), h.IntN(2) == 0, h.level()))
		},
		"propensity": func(h hostile) (any, []any) {
			var s PropensitySums
			for range h.IntN(9) {
				s.AddRow(h.IntN(2) == 0, h.float(), h.float(), h.float())
			}
			l := h.level()
			out := append(both(s.Ratio(l)), both(s.Rate(l))...)
			return []any{s, l}, append(append(out, both(s.ESS())...), both(s.LogRatioVariance())...)
		},
		"winner": func(h hostile) (any, []any) {
			k, tau, s := h.float(), h.float(), h.float()
			return []any{k, tau, s}, both(WinnerCalibration(k, tau, s))
		},
		"trend": func(h hostile) (any, []any) {
			epochs, l := some(h, func() Epoch { return Epoch{h.float(), h.float(), h.float()} }), h.level()
			f, ok := FitTrend(epochs, l)
			return []any{epochs, l}, append([]any{f, ok}, both(f.FractionClosed(h.float(), h.float(), l))...)
		},
		"drift": func(h hostile) (any, []any) {
			d := Drift{some(h, h.count), some(h, h.count)}
			positions := some(h, h.float)
			out := append(both(d.PSI(h.float(), h.float())), both(d.JS())...)
			out = append(append(out, both(d.FilledPSI())...), both(d.Wasserstein(positions))...)
			ks, within, _ := d.KS()
			return []any{d, positions}, append(out, ks, within)
		},
		"samples": func(h hostile) (any, []any) {
			s := Samples{some(h, h.float), some(h, h.float)}
			ks, p, _ := s.KS()
			out := append(both(s.Wasserstein()), both(s.Sturges())...)
			return s, append(out, ks, p)
		},
		"edges": func(h hostile) (any, []any) {
			bins := some(h, func() HistogramBin { return HistogramBin{h.float(), h.count()} })
			e, ok := EqualMassEdges(bins, h.IntN(30)-1)
			return bins, []any{[]float64(e), ok, ScoreBuckets{h.float(), h.IntN(600) - 1}.Bucket(h.float())}
		},
		"differences": func(h hostile) (any, []any) {
			a, _ := ObservedOverExpected(h.count(), h.float(), h.level())
			b, _ := ObservedOverExpected(h.count(), h.float(), h.level())
			out := append(both(Difference(a, b)), both(a.Invert())...)
			return []any{a, b}, append(out, both(RelativeChange(h.float(), h.float(), h.float(), h.float(), h.float(), h.level(), 1))...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := hostile{rand.New(rand.NewPCG(1, 2))}
			for range 3000 {
				in, results := try(h)
				sound(t, in, results...)
				if t.Failed() {
					return
				}
			}
		})
	}
}
