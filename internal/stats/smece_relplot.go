package stats

import "math"

// GridSmoothECE is the smooth calibration error as relplot 1.0.3 computes it,
// to compare with. It differs from SmoothECE in three ways: residuals are
// first shared between the two nearest points of a grid of 1001, or 10/σ;
// those at 0 and 1 themselves have no mirror image, so that they count half;
// and the integral is a plain sum over a mesh of 200 points, or 10/σ, divided
// by that of the density. All three matter where predictions are below 1e-3,
// and SmoothECE is the one to use.
//
// Offline: grid times mesh. Not ok without rows in [0, 1] or for σ not in
// (0, 1]; σ below 1e-3 counts as that.
func GridSmoothECE(rows []Labelled, sigma float64) (float64, bool) {
	const meshPoints, gridPoints = 200, 2000
	if !(sigma > 0 && sigma <= 1) {
		return 0, false
	}
	sigma = math.Max(sigma, 1e-3)
	mesh := int(math.Max(math.Round(10/sigma), meshPoints))
	grid := int(math.Max(math.Round(20/sigma), gridPoints))/2 + 1
	residual, density := make([]float64, grid), make([]float64, grid)
	for _, r := range rows {
		if !(r.P >= 0 && r.P <= 1) || !finite(r.Y) {
			continue
		}
		at := r.P * float64(grid-1)
		i := int(math.Min(at, float64(grid-2)))
		share := at - float64(i)
		residual[i] += (1 - share) * (r.P - r.Y)
		residual[i+1] += share * (r.P - r.Y)
		density[i] += 1 - share
		density[i+1] += share
	}
	used := []int{}
	for i, d := range density {
		if d != 0 {
			used = append(used, i)
		}
	}
	kernel := func(d float64) float64 {
		if math.Abs(d) > 0.5 {
			return 0
		}
		return math.Exp(-d * d / (2 * sigma * sigma))
	}
	var error, mass float64
	for k := range mesh {
		t := float64(k) / float64(mesh-1)
		var smoothed, here float64
		for _, i := range used {
			g := float64(i) / float64(grid-1)
			w := kernel(t - g)
			if i > 0 {
				w += kernel(t + g)
			}
			if i < grid-1 {
				w += kernel(2 - t - g)
			}
			smoothed += w * residual[i]
			here += w * density[i]
		}
		error += math.Abs(smoothed)
		mass += here
	}
	return Ratio(error, mass)
}

// GridSmoothECEFixed is GridSmoothECE at the smallest σ, in steps of 1/1024,
// that is not below it.
func GridSmoothECEFixed(rows []Labelled) (value, sigma float64, ok bool) {
	low, high := 0.0, 1.0
	for range 10 {
		mid := (low + high) / 2
		v, ok := GridSmoothECE(rows, mid)
		if !ok {
			return 0, 0, false
		}
		if mid < 1e-3 || mid < v {
			low = mid
		} else {
			high = mid
		}
	}
	value, ok = GridSmoothECE(rows, high)
	return value, high, ok
}
