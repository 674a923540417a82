package stats

import (
	"math"
	"slices"
)

// LogRatio is δ = ln p − ln t of a prediction and its teacher's, both clipped at
// 1e-7.
func LogRatio(p, teacher float64) float64 {
	return math.Log(clipProbability(p)) - math.Log(clipProbability(teacher))
}

// LogitDifference is logit p − logit t, both clipped at 1e-7: the variant of
// LogRatio that treats conversions and their absence alike.
func LogitDifference(p, teacher float64) float64 { return logit(p) - logit(teacher) }

// KL is the divergence KL(t‖p) = t·ln(t/p) + (1−t)·ln((1−t)/(1−p)) ≥ 0 of the
// prediction from the teacher, in nats, both clipped at 1e-7. Close to the
// teacher it is t·δ²/2: it weighs what is likely to convert, where LogMAE
// weighs all rows alike.
func KL(teacher, p float64) float64 {
	t, q := clipProbability(teacher), clipProbability(p)
	// As deviances of shares, whose first-order terms cancel exactly.
	return deviance(t, q) + deviance(1-t, 1-q)
}

// TeacherSums are the sums of rows that a teacher has scored too. They need no
// labels, so that they are there for all candidates at once.
type TeacherSums struct {
	N          int64
	Weight     float64 // Σw
	Abs        float64 // Σw|δ|
	Signed     float64 // Σwδ
	Squares    float64 // Σwδ²
	AbsLogit   float64 // Σw|logit p − logit t|
	AbsPlain   float64 // Σw|p − t|
	KL         float64 // Σw·KL(t‖p)
	Prediction float64 // Σwp
	Teacher    float64 // Σwt
}

// AddRow adds a row. Predictions not in (0, 1) and rows without a positive
// weight do not count.
func (s *TeacherSums) AddRow(p, teacher, w float64) {
	if !(p > 0 && p < 1) || !(teacher > 0 && teacher < 1) || !(w > 0) || !finite(w) {
		return
	}
	d := LogRatio(p, teacher)
	s.Add(TeacherSums{
		1, w, w * math.Abs(d), w * d, w * d * d, w * math.Abs(LogitDifference(p, teacher)),
		w * math.Abs(p-teacher), w * KL(teacher, p), w * p, w * teacher,
	})
}

// Add adds the rows of o.
func (s *TeacherSums) Add(o TeacherSums) {
	s.N += o.N
	s.Weight += o.Weight
	s.Abs += o.Abs
	s.Signed += o.Signed
	s.Squares += o.Squares
	s.AbsLogit += o.AbsLogit
	s.AbsPlain += o.AbsPlain
	s.KL += o.KL
	s.Prediction += o.Prediction
	s.Teacher += o.Teacher
}

// LogMAE is how far predictions are from a teacher's.
type LogMAE struct {
	A           float64 // mean |δ|: e^A is the typical factor between them
	Bias        float64 // mean δ: their geometric calibration
	RMSE        float64 // √ mean δ²
	Logit       float64 // mean |logit p − logit t|
	LogOfMAE    float64 // ln mean |p − t|, to read what others report
	KL          float64 // mean KL(t‖p)
	Ratio       float64 // Σwp/Σwt, the calibration against the teacher
	HasLogOfMAE bool    // not where all predictions agree
}

// LogMAE is the mean of the sums. The definition of A is that of the
// specification; no publication has one. Not ok without rows.
func (s TeacherSums) LogMAE() (LogMAE, bool) {
	if !(s.Weight > 0) {
		return LogMAE{}, false
	}
	w := s.Weight
	m := LogMAE{
		A: s.Abs / w, Bias: s.Signed / w, RMSE: math.Sqrt(math.Max(0, s.Squares/w)),
		Logit: s.AbsLogit / w, KL: s.KL / w,
	}
	m.Ratio, _ = Ratio(s.Prediction, s.Teacher)
	if l := math.Log(s.AbsPlain / w); finite(l) {
		m.LogOfMAE, m.HasLogOfMAE = l, true
	}
	return checked(m, m.A, m.Bias, m.RMSE, m.Logit, m.KL)
}

// Spread is the mean |δ − median δ|: what is left of LogMAE when the bias is
// taken away. From rows at hand; streams have LogRatioHistogram. Not ok without
// finite values.
func Spread(deltas []float64) (float64, bool) {
	sorted := slices.DeleteFunc(slices.Clone(deltas), func(v float64) bool { return !finite(v) })
	n := len(sorted)
	if n == 0 {
		return 0, false
	}
	slices.Sort(sorted)
	median := sorted[(n-1)/2]/2 + sorted[n/2]/2
	sum := 0.0
	for _, v := range sorted {
		sum += math.Abs(v - median)
	}
	return sum / float64(n), true
}

// Steps of the histogram of log ratios: 0.01 wide over ±8.
const (
	logRatioStep = 0.01
	logRatioBins = 1600
)

// LogRatioHistogram counts log ratios in steps of 0.01 over ±8; what is beyond
// counts in the last bin of its side.
type LogRatioHistogram [logRatioBins]int64

// LogRatioBin is the bin of δ. NaN is in the middle.
func LogRatioBin(delta float64) int {
	if math.IsNaN(delta) {
		delta = 0
	}
	return int(clamp(math.Floor(delta/logRatioStep)+logRatioBins/2, 0, logRatioBins-1))
}

// Add adds the counts of o.
func (h *LogRatioHistogram) Add(o *LogRatioHistogram) {
	for i := range h {
		h[i] += o[i]
	}
}

// Median is the median δ, to half a step, and Spread the mean |δ − median|, to a
// whole one, of ratios inside ±8. Not ok without counts.
func (h *LogRatioHistogram) Median() (median, spread float64, ok bool) {
	total := 0.0
	for _, n := range h {
		total += float64(max(n, 0))
	}
	if total == 0 {
		return 0, 0, false
	}
	middle := func(i int) float64 { return (float64(i-logRatioBins/2) + 0.5) * logRatioStep }
	below := 0.0
	for i, n := range h {
		below += float64(max(n, 0))
		if 2*below >= total {
			median = middle(i)
			break
		}
	}
	for i, n := range h {
		spread += float64(max(n, 0)) / total * math.Abs(middle(i)-median)
	}
	return median, spread, true
}
