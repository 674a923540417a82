package recount

import "testing"

func TestSumKeepsSmallTerms(t *testing.T) {
	var s sum
	for _, v := range []float64{1, 1e100, 1, -1e100} {
		s.add(v)
	}
	if got := s.value(); got != 2 {
		t.Errorf("got %v, want 2", got)
	}
}

func TestQuantileOf(t *testing.T) {
	plain := func(vs ...float64) (out []weighted) {
		for _, v := range vs {
			out = append(out, weighted{v, 1})
		}
		return out
	}
	for _, tc := range []struct {
		name   string
		values []weighted
		q      float64
		want   Quantile
	}{
		{"none", nil, 0.5, Quantile{}},
		{"one", plain(3), 0.99, Quantile{3, 3, true}},
		{"between two", plain(4, 1), 0.5, Quantile{2.5, 2.5, true}},
		{"interpolated", plain(5, 1, 3), 0.9, Quantile{4.6, 4.6, true}},
		{"weights pass the middle", []weighted{{1, 2.5}, {2, 1}, {3, 1}}, 0.5, Quantile{1, 1, true}},
		{"weights reach it exactly", []weighted{{1, 2}, {2, 1}, {3, 1}}, 0.5, Quantile{1, 2, true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := quantileOf(tc.values, tc.q); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestLowerEdge(t *testing.T) {
	for _, tc := range []struct{ p, want float64 }{
		{0.25, 0.25}, {0.3, 0.25}, {0.3125, 0.3125}, {0.4999, 0.4375}, {0.5, 0.5},
	} {
		if got := lowerEdge(tc.p); got != tc.want {
			t.Errorf("lowerEdge(%v): got %v, want %v", tc.p, got, tc.want)
		}
	}
}
