package stats

import "math"

// Goodness is a test of calibration over groups of rows.
type Goodness struct {
	Groups []Group // from the highest predictions down
	Chi2   float64
	DF     int
	P      float64
}

// Group is rows that are judged together.
type Group struct {
	Expected, Observed float64
	N                  int64
}

// HosmerLemeshow is Σ(O_g − E_g)²/(E_g(1 − E_g/n_g)) over groups, χ² at as many
// degrees of freedom as there are groups, for the predictions were not fitted
// to these rows (Hosmer and Lemeshow 1980). Bins are in ascending order of
// prediction, and may be single rows; groups are made of them from the top
// until 5 conversions are expected, and what is left at the bottom joins the
// last.
//
// It is for those who know it, not for alerts: with the rows that ads have it
// rejects every model. Not ok where all rows expect less than 5.
func HosmerLemeshow(bins []Bin) (Goodness, bool) {
	g := Goodness{}
	var open Group
	for i := len(bins) - 1; i >= 0; i-- {
		if !bins[i].valid() {
			continue
		}
		open.Expected += bins[i].Prediction
		open.Observed += bins[i].Observed
		open.N += bins[i].N
		if open.Expected >= minExpected {
			g.Groups = append(g.Groups, open)
			open = Group{}
		}
	}
	if len(g.Groups) == 0 {
		return Goodness{}, false
	}
	last := &g.Groups[len(g.Groups)-1]
	last.Expected += open.Expected
	last.Observed += open.Observed
	last.N += open.N
	for _, k := range g.Groups {
		variance := k.Expected * (1 - k.Expected/float64(k.N))
		if !(variance > 0) {
			return Goodness{}, false // every prediction is 1
		}
		d := k.Observed - k.Expected
		g.Chi2 += d / variance * d
	}
	g.DF = len(g.Groups)
	g.P = chiSquaredTail(g.Chi2, float64(g.DF))
	return checked(g, g.Chi2)
}

// SpiegelhalterSums are the sums of Spiegelhalter's test.
type SpiegelhalterSums struct {
	N        int64
	Residual float64 // Σ(y − p)(1 − 2p)
	Variance float64 // Σ(1 − 2p)²·p(1 − p)
}

// AddRow adds a row. One without a prediction in (0, 1) does not count.
func (s *SpiegelhalterSums) AddRow(p, y float64) {
	if !(p > 0 && p < 1) || !finite(y) {
		return
	}
	s.Add(SpiegelhalterSums{1, (y - p) * (1 - 2*p), (1 - 2*p) * (1 - 2*p) * p * (1 - p)})
}

// Add adds the rows of o.
func (s *SpiegelhalterSums) Add(o SpiegelhalterSums) {
	s.N += o.N
	s.Residual += o.Residual
	s.Variance += o.Variance
}

// ZTest is a z score with its two-sided p-value.
type ZTest struct {
	Z, P float64
}

// Test is z = Σ(y−p)(1−2p)/√Σ(1−2p)²p(1−p), standard normal for a right model:
// whether the Brier score is what the predictions promise (Spiegelhalter 1986,
// Statistics in Medicine 5). For small p it is close to calibration in the
// large. Not ok without variance.
func (s SpiegelhalterSums) Test() (ZTest, bool) {
	z, ok := Ratio(s.Residual, math.Sqrt(s.Variance))
	if !ok {
		return ZTest{}, false
	}
	return ZTest{z, normalTwoSided(z)}, true
}
