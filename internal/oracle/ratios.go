package oracle

import (
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// ratios are section 1.1 to 1.3 of the specification.
func ratios() []Statistic {
	const file = "calibration_ratio"
	return []Statistic{
		{"exact interval", file, "garwood", exactInterval},
		{"clustered ratio", file, "cluster-robust", clusteredRatio},
		{"clustered ratio of few", file, "", clusteredRatioOfFew},
		{"hash-bucket ratio", file, "", hashBucketRatio},
		{"jackknife", file, "hash-bucket jackknife", jackknife},
		{"weighted ratio", file, "weighted", weightedRatio},
		{"arm ratio", file, "arm ratio", armRatio},
		{"exact arm ratio", file, "", exactArmRatio},
	}
}

func exactInterval(r *rand.Rand) (in, out Values, ok bool) {
	expected := spread(r, 1e-3, pick(r, 30, 1e4, 1e9))
	o := events(r, expected*math.Exp(0.7*r.NormFloat64()))
	l := level(r)
	q, okQ := stats.ObservedOverExpected(o, expected, l)
	c, okC := stats.Calibration(o, expected, l)
	return Values{"O": o, "E": expected, "level": l}, Values{
		"Q": q.Value, "Q_lo": q.Low, "Q_hi": q.High, "C": value(c), "C_lo": c.Low, "C_hi": high(c),
	}, all(okQ, okC)
}

func clusteredRatio(r *rand.Rand) (in, out Values, ok bool) {
	t, l := rows(r), level(r)
	cells := t.cells(func(int) float64 { return 1 })
	v, okV := stats.LogRatioVariance(cells, stats.LargeSample)
	q, okQ := stats.ClusteredRatio(cells, int64(t.conversions), l, stats.LargeSample)
	f, okF := stats.FiellerByClusters(cells, int64(t.conversions), l)
	return Values{"p": t.p, "y": t.y, "user": t.user, "level": l}, Values{
		"Q": q.Value, "var_logQ": v, "Q_lo": q.Low, "Q_hi": q.High,
		"fieller_lo": low(f), "fieller_hi": high(f), "fieller_bounded": f.Status == stats.OK,
	}, all(okV, okQ, okF) && q.Status == stats.OK
}

// Below ten effective conversions the interval is the exact one of fewer.
func clusteredRatioOfFew(r *rand.Rand) (in, out Values, ok bool) {
	t, l := rows(r), level(r)
	q, okQ := stats.ClusteredRatio(t.cells(func(int) float64 { return 1 }), int64(t.conversions), l, stats.LargeSample)
	return Values{"p": t.p, "y": t.y, "user": t.user, "level": l}, Values{
		"effective": q.Effective, "Q_lo": q.Low, "Q_hi": q.High,
	}, okQ && q.Effective < 10
}

// buckets draws the sums of hash buckets that differ.
func buckets(r *rand.Rand) (cells []stats.Cell, observed, expected []float64, n int64) {
	each := spread(r, 0.3, 1e4)
	uneven := between(r, 0, 0.8)
	for range pick(r, 2, 3, 16, 64, 256) {
		e := short(each * math.Exp(uneven*r.NormFloat64()))
		o := float64(events(r, e*math.Exp(uneven*r.NormFloat64())))
		cells = append(cells, stats.Cell{Observed: o, Expected: e})
		observed, expected = append(observed, o), append(expected, e)
		n += int64(o)
	}
	return cells, observed, expected, n
}

func hashBucketRatio(r *rand.Rand) (in, out Values, ok bool) {
	cells, observed, expected, n := buckets(r)
	l := level(r)
	v, okV := stats.LogRatioVariance(cells, stats.SmallSample)
	q, okQ := stats.ClusteredRatio(cells, n, l, stats.SmallSample)
	d, okD := stats.DesignEffectOf(cells)
	// Two buckets at a level of 0.999 have a t of 637: the limits overflow.
	return Values{"O_g": observed, "E_g": expected, "level": l}, Values{
		"var_logQ": v, "log_lo": math.Log(q.Low), "log_hi": math.Log(q.High), "deff": d.Value, "deff_upper": d.Upper,
	}, all(okV, okQ, okD) && q.Effective >= 10 && q.Known == stats.KnownAll && q.Low > 0
}

func jackknife(r *rand.Rand) (in, out Values, ok bool) {
	cells, observed, expected, _ := buckets(r)
	sums := make([][]float64, len(cells))
	for i, c := range cells {
		sums[i] = []float64{c.Observed, c.Expected}
	}
	j, ok := stats.Jackknife(sums, func(s []float64) (float64, bool) { return math.Log(s[0] / s[1]), s[0] > 0 && s[1] > 0 })
	return Values{"O_g": observed, "E_g": expected}, Values{"value": j.Value, "var": j.Variance}, ok
}

func weightedRatio(r *rand.Rand) (in, out Values, ok bool) {
	t, l := rows(r), level(r)
	s := stats.WeightedSums{}
	for i := range t.p {
		row := stats.WeightedSums{Expected: t.w[i] * t.p[i]}
		if t.y[i] == 1 {
			row.N, row.Observed, row.Squares, row.Largest = 1, t.w[i], t.w[i]*t.w[i], t.w[i]
		}
		s.Add(row)
	}
	v, okV := stats.LogRatioVariance(t.cells(func(i int) float64 { return t.w[i] }), stats.LargeSample)
	q, okQ := s.Ratio(l)
	return Values{"p": t.p, "y": t.y, "w": t.w, "user": t.user, "level": l}, Values{
		"Q": q.Value, "var_logQ": v, "effective": q.Effective, "Q_lo": q.Low, "Q_hi": q.High,
	}, all(okV, okQ)
}

func armRatio(r *rand.Rand) (in, out Values, ok bool) {
	treatment, control := arms(r, 1e6)
	l := level(r)
	p, okP := stats.ConditionalTest(treatment, control)
	d, okD := stats.LogArmRatio(treatment, control, l)
	return Values{"O_T": treatment.Observed, "E_T": treatment.Expected, "O_C": control.Observed, "E_C": control.Expected, "level": l}, Values{
		"p_exact": p, "log_ratio": d.Value, "low": d.Low, "high": d.High,
	}, all(okP, okD) && min(treatment.Observed, control.Observed) >= 10 && p > 1e-290
}

func exactArmRatio(r *rand.Rand) (in, out Values, ok bool) {
	treatment, control := arms(r, pick(r, 10, 100, 1e5))
	l := level(r)
	p, okP := stats.ConditionalTest(treatment, control)
	e, okE := stats.ExactArmRatio(treatment, control, l)
	return Values{"O_T": treatment.Observed, "E_T": treatment.Expected, "O_C": control.Observed, "E_C": control.Expected, "level": l}, Values{
		"p_exact": p, "ratio": value(e), "low": e.Low, "high": high(e),
	}, all(okP, okE) && p > 1e-290
}
