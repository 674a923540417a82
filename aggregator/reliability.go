package aggregator

import (
	"math"
	"slices"
	"strconv"

	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// percentileBuckets is how many buckets of predictions there are at most, of
// about the same number of winners each.
const percentileBuckets = 20

// Reliability is the calibration of winners by percentile of their prediction.
// The edges are the same in all arms, taken from all of them together and from
// among those of the coarse bins, which never move: an edge of its own for each
// arm would move with a shift and hide it. Buckets with the same version of
// edges can be compared.
type Reliability struct {
	EdgesVersion string    `json:"edges_version"`
	Edges        []float64 `json:"edges"` // bucket i is [edge i−1, edge i); the first begins at 0, the last ends at 1
	// Arms are the calibrations Σp/Σy of each bucket, with intervals that hold for
	// all buckets of an arm together.
	Arms map[string][]Estimate `json:"arms"`
}

// Reliability reads the winners of all arms by percentile. Labels are counted
// without weights. It is empty without winners.
func (s *Summary) Reliability() Reliability {
	var all WinnerBins
	for i := range s.Arms {
		all.add(&s.Arms[i].Total.Winners.Bins)
	}
	r := Reliability{Edges: []float64{}, Arms: map[string][]Estimate{}}
	var histogram []stats.HistogramBin
	for i, octave := range all.octaves {
		for k := range all.pages[i] {
			if n := all.pages[i][k].N; n > 0 {
				histogram = append(histogram, stats.HistogramBin{Upper: edge(uint32(octave), uint32(k)+1, coarseBits), Count: n})
			}
		}
	}
	edges, ok := stats.EqualMassEdges(histogram, percentileBuckets)
	if !ok {
		return r
	}
	r.Edges = slices.Clone([]float64(edges))
	r.EdgesVersion = strconv.FormatUint(edges.Version(), 16)
	for i := range s.Arms {
		bins := s.Arms[i].Total.Winners.binsBy(edges)
		list := make([]Estimate, 0, len(bins))
		for _, e := range stats.Reliability(bins, intervalLevel) {
			list = append(list, Estimate{e})
		}
		r.Arms[s.Arms[i].Arm] = list
	}
	return r
}

// binsBy adds up the coarse bins between edges, which are among theirs.
func (w *WinnerSums) binsBy(edges stats.Edges) []stats.Bin {
	bins := make([]stats.Bin, edges.Bins())
	for i, octave := range w.Bins.octaves {
		for k := range w.Bins.pages[i] {
			b := &w.Bins.pages[i][k]
			if b.N == 0 {
				continue
			}
			p := b.Prediction.Float(fixed.ProbBits)
			if n := b.Labels.N; n > 0 { // as many labels of the mean weight stand against it
				p *= float64(n) / b.Labels.Weight()
			}
			mean := min(p/float64(b.N), 1)
			lower := edge(uint32(octave), uint32(k), coarseBits)
			// The lower edge itself is inside, and an edge that it shares with the bin
			// below belongs to it.
			bins[edges.Bin(math.Nextafter(lower, 1))].Add(stats.Bin{
				N: b.N, Prediction: p, Variance: p * (1 - mean), Observed: float64(b.Labels.N),
			})
		}
	}
	return bins
}
