package alerts

// Window is what a stretch of event time has added to an experiment. Windows of
// one experiment are taken in order of their time.
type Window struct {
	StartMs, EndMs int64 // event time, Unix milliseconds, [start, end)
	Cells          []Cell
}

// Cell is what a Window adds to one arm, or to a slice of it.
type Cell struct {
	Arm string
	// Slice names what of the arm this is, as surface=home,country=de with the
	// dimensions in order; empty: all of it.
	Slice string
	// RampPercent is the arm's share of the traffic, 0..100, of the whole arm; the
	// larger part of a window in which it changed.
	RampPercent float64
	Shares      []Share
	Means       []Mean
	Counts      []Count
	Latencies   []Latency
	Delays      []Delays
	// Units are of the whole arm only.
	Units *Units
}

// Share is how many of N have something.
type Share struct {
	Metric Metric
	Key    string // the feature family, tower or stage
	K, N   float64
	// Clusters is how many independent ones N are worth, at most N: all
	// candidates of an auction often agree.
	Clusters float64
}

// Mean is an estimate that is about normal, with its variance from clusters.
type Mean struct {
	Metric   Metric
	Value    float64 // of MetricCandidateCalibration ln(Σp/Σr), otherwise the mean itself
	Variance float64 // of Value
	// N is how many events it is from: candidates' auctions, and of a log loss the
	// labels that are 1, of which nearly all of its variance comes.
	N int64
}

// Count is how many events there were where Expected were, up to a factor that
// both arms have in common within one Stratum of one Window. What an arm has in
// a stratum comes whole, in one Window.
type Count struct {
	Metric   Metric
	Key      string
	Stratum  string
	Observed int64
	Expected float64
	// Matured is how many were expected by now, labels still to come taken into
	// account: what the level of one arm is judged by. 0 where it is not known.
	Matured float64
	// DesignEffect is by how much clusters raise the variance of Observed; below 1
	// or not known it counts as 1.
	DesignEffect float64
}

// Latency is a histogram of the latencies of calls to a tower, in bins that all
// Windows have in common, ascending.
type Latency struct {
	Tower  string
	Counts []int64
	// UpperUs are the upper edges of the bins, in microseconds.
	UpperUs []float64
}

// Delays is how many conversions came within half of the time that the stratum
// had, of those that came.
type Delays struct {
	Stratum      string
	Early, All   int64
	DesignEffect float64
}

// Units are the units of randomisation that were exposed in a window: those
// whose hash is below Below, which is the same sample of units in either arm.
type Units struct {
	Hashes []uint32
	Below  uint64 // up to 1 << 32, which means all
}

// cell finds what a window has of an arm and slice, nil where it has nothing.
func (w *Window) cell(arm, slice string) *Cell {
	for i := range w.Cells {
		if c := &w.Cells[i]; c.Arm == arm && c.Slice == slice {
			return c
		}
	}
	return nil
}
