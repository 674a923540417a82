package recount

import (
	"math"
	"testing"
)

// TestGarwood has the limits of Garwood's table, and of SciPy where the number
// is not whole.
func TestGarwood(t *testing.T) {
	for _, tc := range []struct{ n, low, high float64 }{
		{0, 0, 3.6888794541139363},
		{1, 0.025317807984289897, 5.571643390938898},
		{12, 6.200575195719, 20.961585072088},
		{2.5, 0.415605806743, 8.006382137315},
	} {
		low, high := garwood(tc.n)
		if math.Abs(low-tc.low) > 1e-6 || math.Abs(high-tc.high) > 1e-6 {
			t.Errorf("%v events: got [%v, %v], want [%v, %v]", tc.n, low, high, tc.low, tc.high)
		}
	}
}

// TestStudent has the 97.5 % points of the usual table.
func TestStudent(t *testing.T) {
	for df, want := range map[int]float64{1: 12.7062047362, 2: 4.30265272991, 3: 3.18244630528, 10: 2.22813885196, 63: 1.99834054252} {
		if got := student(df); math.Abs(got-want) > 1e-8 {
			t.Errorf("%d degrees of freedom: got %v, want %v", df, got, want)
		}
	}
}

func TestAUC(t *testing.T) {
	for _, tc := range []struct {
		name               string
		positive, negative []float64
		want               Number
		tied               float64
	}{
		{"no positive", nil, []float64{1}, Number{}, 0},
		{"all above", []float64{3, 4}, []float64{2, 1}, Number{1, true}, 0},
		{"one tie of six pairs", []float64{2, 1}, []float64{3, 2, 1.5}, Number{1.5 / 6, true}, 1.0 / 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, tied := aucOf(tc.positive, tc.negative); got != tc.want || tied != tc.tied {
				t.Errorf("got %v with %v tied, want %v with %v", got, tied, tc.want, tc.tied)
			}
		})
	}
}

func TestFineBin(t *testing.T) {
	for _, tc := range []struct{ p, want float64 }{{0.5, 0.5}, {0.5078, 0.5}, {0.5079, 65.0 / 128}, {1.0 / 3, 85.0 / 256}} {
		if got := fineBin(tc.p); got != tc.want {
			t.Errorf("fineBin(%v) = %v, want %v", tc.p, got, tc.want)
		}
	}
}
