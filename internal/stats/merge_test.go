package stats

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mergeable are states of this package, all fed with the same rows.
type mergeable struct {
	Weighted     WeightedSums
	Cells        [4]Cell
	Bins         [3]Bin
	Logit        LogitBin
	Spiegelhal   SpiegelhalterSums
	Loss         LossSums
	Mean         MeanCell
	Brier        BrierBin
	Teacher      TeacherSums
	LogRatios    LogRatioHistogram
	Propensities PropensitySums
	Smooth       SmoothECE
}

func (m *mergeable) add(o *mergeable) {
	m.Weighted.Add(o.Weighted)
	for i := range m.Cells {
		m.Cells[i].Add(o.Cells[i])
	}
	for i := range m.Bins {
		m.Bins[i].Add(o.Bins[i])
	}
	m.Logit.Add(o.Logit)
	m.Spiegelhal.Add(o.Spiegelhal)
	m.Loss.Add(o.Loss)
	m.Mean.Add(o.Mean)
	m.Brier.Add(o.Brier)
	m.Teacher.Add(o.Teacher)
	m.LogRatios.Add(&o.LogRatios)
	m.Propensities.Add(o.Propensities)
	m.Smooth.Add(&o.Smooth)
}

// mergeRow is a row whose terms a float64 sums exactly: what reaches this
// package was summed as integers, of which these are multiples too.
type mergeRow struct{ p, y, w, teacher, propensity float64 }

func (m *mergeable) row(r mergeRow) {
	m.Weighted.Add(WeightedSums{int64(r.y), r.w * r.y, r.w * r.w * r.y, r.w * r.p, r.w})
	m.Cells[int(r.p*4)].Add(Cell{r.w * r.y, r.w * r.p})
	m.Bins[int(r.p*3)].Add(Bin{1, r.p, r.p * (1 - r.p), r.y})
	m.Logit.Add(LogitBin{1, r.y, r.p})
	m.Spiegelhal.AddRow(r.p, r.y)
	m.Mean.Add(MeanCell{r.w, r.w * r.p})
	m.Brier.AddRow(r.p, r.y, r.w)
	m.LogRatios[LogRatioBin(LogRatio(r.p, r.teacher))]++
	m.Propensities.AddRow(r.y == 1, r.propensity, r.p, 1)
	m.Smooth.AddRow(r.p, r.y)
	// Logarithms are no multiples of anything: they are taken to 2^-30, as the
	// specification has it.
	loss := LossSums{}
	loss.AddRow(r.p, r.y, 1)
	loss.Loss = quantum(loss.Loss)
	m.Loss.Add(loss)
	teacher := TeacherSums{}
	teacher.AddRow(r.p, r.teacher, 1)
	for _, v := range []*float64{&teacher.Abs, &teacher.Signed, &teacher.Squares, &teacher.AbsLogit, &teacher.KL} {
		*v = quantum(*v)
	}
	m.Teacher.Add(teacher)
}

func quantum(v float64) float64 {
	const unit = 1 << 30
	return float64(int64(v*unit)) / unit
}

// Any partition of the rows, merged in any order, must give the same bits.
func TestMergeOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	rows := make([]mergeRow, 400)
	for i := range rows {
		fraction := func() float64 { return float64(1+r.IntN(1<<10-2)) / (1 << 10) }
		rows[i] = mergeRow{fraction(), float64(r.IntN(2)), float64(int(1) << r.IntN(4)), fraction(), 1 / float64(int(1)<<r.IntN(4))}
	}
	want := &mergeable{}
	for _, row := range rows {
		want.row(row)
	}
	if want.Weighted.N == 0 || want.Teacher.N != 400 || want.Propensities.Shown == 0 || want.Brier.N == 0 || want.Spiegelhal.N == 0 {
		t.Fatal("rows are missing in the sums")
	}
	for range 20 {
		parts := make([]*mergeable, 1+r.IntN(9))
		for i := range parts {
			parts[i] = &mergeable{}
		}
		for _, i := range r.Perm(len(rows)) {
			parts[r.IntN(len(parts))].row(rows[i])
		}
		got := &mergeable{}
		for _, i := range r.Perm(len(parts)) {
			got.add(parts[i])
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a == b })); diff != "" {
			t.Fatalf("%d parts (-at once +merged):\n%s", len(parts), diff)
		}
	}
}
