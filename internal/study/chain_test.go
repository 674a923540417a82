package study

import (
	"math"
	"testing"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// The bounds that the specification of the statistics prints (section 9), and
// those that the product computes.
func TestInformationBounds(t *testing.T) {
	for _, tc := range []struct {
		r, one, test5, test1, detection, two2, two7 float64
	}{
		{0.5, .15343, 19.5, 30.0, 60.0, .02551, .03741},
		{0.8, .02149, 139.4, 214.3, 428.7, .00349, .00475},
		{1.1, .00484, 618.8, 951.2, 1902, .00077, .00099},
		{1.2, .01879, 159.5, 245.1, 490.3, .00297, .00378},
		{1.5, .10820, 27.7, 42.6, 85.1, .01680, .02060},
		{2.0, .38629, 7.8, 11.9, 23.8, .05847, .06834},
	} {
		for name, v := range map[string][3]float64{
			"I₁":        {information(tc.r), tc.one, 5e-6},
			"α = 0.05":  {stoppingBound(information(tc.r), 0.05), tc.test5, 0.05},
			"α = 0.01":  {stoppingBound(information(tc.r), 0.01), tc.test1, 0.05},
			"detection": {stoppingBound(information(tc.r), 1e-4), tc.detection, 0.5},
			"I₂(0.2)":   {armsInformation(tc.r, 0.2), tc.two2, 5e-6},
			"I₂(0.7)":   {armsInformation(tc.r, 0.7), tc.two7, 5e-6},
		} {
			if !(math.Abs(v[0]-v[1]) <= v[2]) {
				t.Errorf("r = %g: %s = %g, want %g", tc.r, name, v[0], v[1])
			}
		}
		one, _ := stats.Information(tc.r)
		two, _ := stats.TwoArmInformation(tc.r, 0.2)
		if math.Abs(one-information(tc.r)) > 1e-12 || math.Abs(two-armsInformation(tc.r, 0.2)) > 1e-12 {
			t.Errorf("r = %g: the product has %g and %g", tc.r, one, two)
		}
	}
}

// The least delays at 10⁴ windows between false alarms, in windows, as a chain of
// 1000 states that rounds down has them (the script of the specification); the
// specification prints those of 20 a window in expected conversions: 64, 345,
// 1214, 384, 86 and 31.
func TestOptimalDelays(t *testing.T) {
	for _, tc := range []struct{ expected, r, want float64 }{
		{5, 0.5, 10.52}, {5, 0.8, 56.52}, {5, 1.1, 185.18}, {5, 1.2, 61.75}, {5, 1.5, 13.95}, {5, 2, 4.71},
		{20, 0.5, 64.0 / 20}, {20, 0.8, 345.0 / 20}, {20, 1.1, 1214.0 / 20}, {20, 1.2, 384.0 / 20}, {20, 1.5, 86.0 / 20}, {20, 2, 31.0 / 20},
	} {
		got, _ := cusum{tc.r, tc.expected}.optimum(optimalRunLength, chainLevels)
		if math.Abs(got/tc.want-1) > 0.015 {
			t.Errorf("r = %g, %g a window: %g windows, want %g", tc.r, tc.expected, got, tc.want)
		}
	}
}

// The banded elimination has the solution that an iteration finds.
func TestSolveLast(t *testing.T) {
	const n = 7
	rows, ends, full := make([][]float64, n), make([]int, n), make([][]float64, n)
	for i := range n {
		rows[i] = make([]float64, n)
		rows[i][i] = 1
		for _, j := range []int{i - 2, i + 1, n - 1} {
			if j >= 0 && j < n {
				rows[i][j] -= 0.3 / float64(1+i%3)
			}
		}
		ends[i] = min(i+2, n-1)
		full[i] = append([]float64(nil), rows[i]...)
	}
	// Jacobi's iteration, which converges as the rows are dominant.
	x := make([]float64, n)
	for range 2000 {
		next := make([]float64, n)
		for i := range n {
			next[i] = 1
			for j := range n {
				if j != i {
					next[i] -= full[i][j] * x[j]
				}
			}
			next[i] /= full[i][i]
		}
		x = next
	}
	if got := solveLast(rows, ends); math.Abs(got-x[n-1]) > 1e-9 {
		t.Errorf("got %g, want %g", got, x[n-1])
	}
}
