package aggregator

import (
	"cmp"
	"slices"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// Sums is all that one cell holds in one pane, or any sum of such cells. Every
// field is an integer, addition is associative and commutative, and Sub undoes
// Add exactly. The zero value holds nothing.
type Sums struct {
	Candidates CandidateSums
	Winners    WinnerSums
	Towers     []TowerSums // sorted by tower
	// FirstMs and LastMs bound the event times of what was added, 0 while
	// nothing was. Sub leaves them alone: read them from sums that only grew.
	FirstMs, LastMs int64
	Units           Units // of totals
}

// CandidateSums is about every candidate scored. Sums are weighted; the counts
// inside tallies are not. Units are those of package fixed.
type CandidateSums struct {
	All           Tally
	WithReference Tally
	Auctions      int64        // that they are of, those without candidates too
	Prediction    fixed.Int128 // Σwp, ProbBits
	// Paired is Σwp over the candidates that have a reference, Reference their
	// Σwr: the two sides of calibration_vs_reference.
	Paired, Reference fixed.Int128 // ProbBits
	AbsLog, Log       fixed.Int128 // Σw|ln p − ln r| and Σw(ln p − ln r), LogBits
	Scores            Histogram    // of p, in candidates
	ScoreExcess       Histogram    // of p, in excess weight, ExcessBits
	Bins              Bins
	Clusters          CandidateClusters
	Families          []FamilyTally  // sorted by name
	Versions          []VersionTally // sorted by query, then item version
	Stages            []StageTally   // sorted by stage, then optimization type
}

// FamilyTally is the coverage of one feature family.
type FamilyTally struct {
	Family  string
	Listed  Tally // candidates whose auction lists the family
	Present Tally // of these, the ones that have it
}

// VersionTally counts scored pairs of embedding versions.
type VersionTally struct {
	Query, Item string
	Tally       Tally
}

// StageTally counts the candidates that reached a funnel stage.
type StageTally struct {
	Stage, OptimizationType string
	Tally                   Tally
}

// WinnerSums is about winners: candidates that were shown.
type WinnerSums struct {
	All               Tally
	Labels            Tally        // winners whose label is 1
	Prediction        fixed.Int128 // Σwp
	Paired, Reference fixed.Int128 // as for candidates
	LogLoss           fixed.Int128 // Σw·−(y ln p + (1−y) ln(1−p)), LossBits
	Brier             fixed.Int128 // Σw(p−y)², SquareBits
	Cost, Value       fixed.Int128 // Σw·micros, MicrosBits
	// LossOfNone and BrierOfNone are what LogLoss and Brier would be were all
	// labels 0: the rest grows with the labels still to come.
	LossOfNone, BrierOfNone fixed.Int128
	Bins                    WinnerBins
	// Scores and LabelScores count winners, and those whose label is 1, by their
	// prediction.
	Scores, LabelScores Histogram
	Clusters            WinnerClusters
	Types               []TypeSums // sorted by optimization type
	Exposure            Exposure
	Families            []FamilyTally
	// Ages splits the winners by how old they were when the sums were read. It is
	// filled by queries and never part of state.
	Ages []AgeSums
}

// TowerSums is about the calls to one tower.
type TowerSums struct {
	Tower    string
	Outcomes [4]Tally // by event.Outcome
	Latency  Histogram
}

// Add adds o to s. It does not keep references into o.
func (s *Sums) Add(o *Sums) {
	s.Candidates.add(&o.Candidates)
	s.Winners.add(&o.Winners)
	for i := range o.Towers {
		t := keyed(&s.Towers, &o.Towers[i], compareTowers)
		for k := range t.Outcomes {
			t.Outcomes[k].add(o.Towers[i].Outcomes[k])
		}
		t.Latency.add(&o.Towers[i].Latency)
	}
	if o.FirstMs != 0 && (s.FirstMs == 0 || o.FirstMs < s.FirstMs) {
		s.FirstMs = o.FirstMs
	}
	s.LastMs = max(s.LastMs, o.LastMs)
	s.Units.union(&o.Units)
}

// Sub takes o, which must have been added before, out of s again.
func (s *Sums) Sub(o *Sums) {
	s.Candidates.sub(&o.Candidates)
	s.Winners.sub(&o.Winners)
	for i := range o.Towers {
		t := keyed(&s.Towers, &o.Towers[i], compareTowers)
		for k := range t.Outcomes {
			t.Outcomes[k].sub(o.Towers[i].Outcomes[k])
		}
		t.Latency.sub(&o.Towers[i].Latency)
	}
	s.Towers = slices.DeleteFunc(s.Towers, func(t TowerSums) bool { return t.Outcomes == [4]Tally{} })
}

// Clone returns a deep copy.
func (s *Sums) Clone() *Sums {
	c := *s
	c.Units = s.Units.clone()
	c.Candidates.Scores.paged = s.Candidates.Scores.clone()
	c.Candidates.ScoreExcess.paged = s.Candidates.ScoreExcess.clone()
	c.Candidates.Bins.paged = s.Candidates.Bins.clone()
	c.Candidates.Families = slices.Clone(s.Candidates.Families)
	c.Candidates.Versions = slices.Clone(s.Candidates.Versions)
	c.Candidates.Stages = slices.Clone(s.Candidates.Stages)
	c.Candidates.Clusters.paged = s.Candidates.Clusters.clone()
	c.Winners.Bins.paged = s.Winners.Bins.clone()
	c.Winners.Scores.paged = s.Winners.Scores.clone()
	c.Winners.LabelScores.paged = s.Winners.LabelScores.clone()
	c.Winners.Clusters.paged = s.Winners.Clusters.clone()
	c.Winners.Types = cloneTypes(s.Winners.Types)
	c.Winners.Ages = slices.Clone(s.Winners.Ages)
	c.Winners.Families = slices.Clone(s.Winners.Families)
	c.Towers = slices.Clone(s.Towers)
	for i := range c.Towers {
		c.Towers[i].Latency.paged = s.Towers[i].Latency.clone()
	}
	return &c
}

func (c *CandidateSums) add(o *CandidateSums) {
	c.All.add(o.All)
	c.WithReference.add(o.WithReference)
	c.Auctions += o.Auctions
	c.Prediction = c.Prediction.Add(o.Prediction)
	c.Paired = c.Paired.Add(o.Paired)
	c.Reference = c.Reference.Add(o.Reference)
	c.AbsLog = c.AbsLog.Add(o.AbsLog)
	c.Log = c.Log.Add(o.Log)
	c.Scores.add(&o.Scores)
	c.ScoreExcess.add(&o.ScoreExcess)
	prune(&c.ScoreExcess.paged) // weights above and below 1 can cancel
	c.Bins.add(&o.Bins)
	c.Clusters.add(&o.Clusters)
	addFamilies(&c.Families, o.Families)
	for i := range o.Versions {
		keyed(&c.Versions, &o.Versions[i], compareVersions).Tally.add(o.Versions[i].Tally)
	}
	for i := range o.Stages {
		keyed(&c.Stages, &o.Stages[i], compareStages).Tally.add(o.Stages[i].Tally)
	}
}

func (c *CandidateSums) sub(o *CandidateSums) {
	c.All.sub(o.All)
	c.WithReference.sub(o.WithReference)
	c.Auctions -= o.Auctions
	c.Prediction = c.Prediction.Sub(o.Prediction)
	c.Paired = c.Paired.Sub(o.Paired)
	c.Reference = c.Reference.Sub(o.Reference)
	c.AbsLog = c.AbsLog.Sub(o.AbsLog)
	c.Log = c.Log.Sub(o.Log)
	c.Scores.sub(&o.Scores)
	c.ScoreExcess.sub(&o.ScoreExcess)
	c.Bins.sub(&o.Bins)
	c.Clusters.sub(&o.Clusters)
	subFamilies(&c.Families, o.Families)
	for i := range o.Versions {
		keyed(&c.Versions, &o.Versions[i], compareVersions).Tally.sub(o.Versions[i].Tally)
	}
	c.Versions = slices.DeleteFunc(c.Versions, func(v VersionTally) bool { return v.Tally.Zero() })
	for i := range o.Stages {
		keyed(&c.Stages, &o.Stages[i], compareStages).Tally.sub(o.Stages[i].Tally)
	}
	c.Stages = slices.DeleteFunc(c.Stages, func(t StageTally) bool { return t.Tally.Zero() })
}

func (w *WinnerSums) add(o *WinnerSums) {
	w.All.add(o.All)
	w.Labels.add(o.Labels)
	w.Prediction = w.Prediction.Add(o.Prediction)
	w.Paired = w.Paired.Add(o.Paired)
	w.Reference = w.Reference.Add(o.Reference)
	w.LogLoss = w.LogLoss.Add(o.LogLoss)
	w.Brier = w.Brier.Add(o.Brier)
	w.Cost = w.Cost.Add(o.Cost)
	w.Value = w.Value.Add(o.Value)
	w.LossOfNone = w.LossOfNone.Add(o.LossOfNone)
	w.BrierOfNone = w.BrierOfNone.Add(o.BrierOfNone)
	w.Bins.add(&o.Bins)
	w.Scores.add(&o.Scores)
	w.LabelScores.add(&o.LabelScores)
	prune(&w.LabelScores.paged) // labels come and go
	w.Clusters.add(&o.Clusters)
	addTypes(&w.Types, o.Types)
	w.Exposure.add(&o.Exposure)
	addFamilies(&w.Families, o.Families)
	addAges(&w.Ages, o.Ages)
}

func (w *WinnerSums) sub(o *WinnerSums) {
	w.All.sub(o.All)
	w.Labels.sub(o.Labels)
	w.Prediction = w.Prediction.Sub(o.Prediction)
	w.Paired = w.Paired.Sub(o.Paired)
	w.Reference = w.Reference.Sub(o.Reference)
	w.LogLoss = w.LogLoss.Sub(o.LogLoss)
	w.Brier = w.Brier.Sub(o.Brier)
	w.Cost = w.Cost.Sub(o.Cost)
	w.Value = w.Value.Sub(o.Value)
	w.LossOfNone = w.LossOfNone.Sub(o.LossOfNone)
	w.BrierOfNone = w.BrierOfNone.Sub(o.BrierOfNone)
	w.Bins.sub(&o.Bins)
	w.Scores.sub(&o.Scores)
	w.LabelScores.sub(&o.LabelScores)
	w.Clusters.sub(&o.Clusters)
	subTypes(&w.Types, o.Types)
	w.Exposure.sub(&o.Exposure)
	subFamilies(&w.Families, o.Families)
}

func addFamilies(dst *[]FamilyTally, src []FamilyTally) {
	for i := range src {
		f := keyed(dst, &src[i], compareFamilies)
		f.Listed.add(src[i].Listed)
		f.Present.add(src[i].Present)
	}
}

func subFamilies(dst *[]FamilyTally, src []FamilyTally) {
	for i := range src {
		f := keyed(dst, &src[i], compareFamilies)
		f.Listed.sub(src[i].Listed)
		f.Present.sub(src[i].Present)
	}
	*dst = slices.DeleteFunc(*dst, func(f FamilyTally) bool { return f.Listed.Zero() })
}

func compareFamilies(a, b *FamilyTally) int { return cmp.Compare(a.Family, b.Family) }
func compareTowers(a, b *TowerSums) int     { return cmp.Compare(a.Tower, b.Tower) }
func compareVersions(a, b *VersionTally) int {
	return cmp.Or(cmp.Compare(a.Query, b.Query), cmp.Compare(a.Item, b.Item))
}
func compareStages(a, b *StageTally) int {
	return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.OptimizationType, b.OptimizationType))
}

// keyed finds the element of a sorted list with like's key, inserting one with
// that key and nothing else where there is none.
func keyed[T keyOnly[T]](list *[]T, like *T, compare func(a, b *T) int) *T {
	lo, hi := 0, len(*list)
	for lo < hi {
		mid := (lo + hi) / 2
		if compare(&(*list)[mid], like) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(*list) || compare(&(*list)[lo], like) != 0 {
		*list = slices.Insert(*list, lo, (*like).keyOnly())
	}
	return &(*list)[lo]
}

type keyOnly[T any] interface{ keyOnly() T }

func (f FamilyTally) keyOnly() FamilyTally   { return FamilyTally{Family: f.Family} }
func (t TowerSums) keyOnly() TowerSums       { return TowerSums{Tower: t.Tower} }
func (v VersionTally) keyOnly() VersionTally { return VersionTally{Query: v.Query, Item: v.Item} }
func (s StageTally) keyOnly() StageTally {
	return StageTally{Stage: s.Stage, OptimizationType: s.OptimizationType}
}
