package stats

import "math"

// Jackknifed is a statistic of sums with its variance.
type Jackknifed struct {
	Value    float64
	Variance float64
	Clusters int
}

// Jackknife is a statistic θ(ΣX) of the sum of rows, with the variance from
// leaving one row out at a time: (G−1)/G·Σ(θ₍₋g₎ − mean)² (Quenouille 1956,
// Tukey 1958; by hash buckets, Chamandy et al. 2012). A row holds the sums of
// one cluster or one hash bucket of clusters; all rows have the same length,
// and rows of zeros are no clusters.
//
// theta must not keep its argument. Not ok below two clusters, and where theta
// is not ok for the whole or for what is left without some row.
func Jackknife(rows [][]float64, theta func(sums []float64) (float64, bool)) (Jackknifed, bool) {
	if len(rows) == 0 {
		return Jackknifed{}, false
	}
	total := make([]float64, len(rows[0]))
	rest := make([]float64, len(total))
	clusters := 0
	for _, row := range rows {
		if !empty(row) {
			clusters++
		}
		for i := range total {
			if i < len(row) {
				total[i] += row[i]
			}
		}
	}
	copy(rest, total)
	value, ok := theta(rest)
	if !ok || !finite(value) || clusters < 2 {
		return Jackknifed{Clusters: clusters}, false
	}
	// Mean and squares in one pass, updated as by Welford (1962): the values
	// differ in their last digits only where there are many clusters.
	seen, mean, squares := 0.0, 0.0, 0.0
	for _, row := range rows {
		if empty(row) {
			continue
		}
		copy(rest, total)
		for i := range rest {
			if i < len(row) {
				rest[i] -= row[i]
			}
		}
		v, ok := theta(rest)
		if !ok {
			return Jackknifed{Value: value, Clusters: clusters}, false
		}
		seen++
		d := v - mean
		mean += d / seen
		squares += d * (v - mean)
	}
	g := float64(clusters)
	j := Jackknifed{Value: value, Variance: (g - 1) / g * squares, Clusters: clusters}
	return checked(j, j.Variance)
}

func empty(row []float64) bool {
	for _, v := range row {
		if v != 0 {
			return false
		}
	}
	return true
}

// Estimate is Value ± t·√Variance at G−1 degrees of freedom.
func (j Jackknifed) Estimate(n int64, level float64) (Estimate, bool) {
	if j.Clusters < 2 || !(j.Variance >= 0) {
		return undefined(n, Undefined)
	}
	half := studentQuantile(level, float64(j.Clusters-1)) * math.Sqrt(j.Variance)
	return estimate(j.Value, j.Value-half, j.Value+half, n, OK)
}
