package aggregator

import (
	"github.com/rampgauge/rampgauge/internal/fixed"
)

// Variances come from clusters: the rows of one unit of randomisation are not
// independent of each other. Instead of sums a unit, a cell keeps sums a bucket of
// a hash of the unit, of which there are clusterBuckets; as each unit is in one
// bucket, buckets are independent where units are. They serve variances alone,
// so that their sums are in coarser units than the cell's own.
const (
	clusterBuckets = 64
	clusterBits    = 6
)

// clusterBucket is the bucket of a cluster's hash.
func clusterBucket(hash uint64) uint8 { return uint8(hash >> (64 - clusterBits)) }

// CandidateCluster is what the candidates with a reference of one bucket add up to.
type CandidateCluster struct {
	Pairs             Tally
	Paired, Reference fixed.Int128 // Σwp and Σwr, ClusterBits
	AbsLog, Log       fixed.Int128 // Σw|ln p − ln r| and Σw(ln p − ln r), LogBits
}

func (c *CandidateCluster) add(o *CandidateCluster) {
	c.Pairs.add(o.Pairs)
	c.Paired = c.Paired.Add(o.Paired)
	c.Reference = c.Reference.Add(o.Reference)
	c.AbsLog = c.AbsLog.Add(o.AbsLog)
	c.Log = c.Log.Add(o.Log)
}

func (c *CandidateCluster) sub(o *CandidateCluster) {
	c.Pairs.sub(o.Pairs)
	c.Paired = c.Paired.Sub(o.Paired)
	c.Reference = c.Reference.Sub(o.Reference)
	c.AbsLog = c.AbsLog.Sub(o.AbsLog)
	c.Log = c.Log.Sub(o.Log)
}

// WinnerCluster is what the winners of one bucket add up to.
type WinnerCluster struct {
	All, Labels               Tally
	Prediction, Loss, Squares fixed.Int128 // Σwp, log loss and squared errors, ClusterBits
}

func (c *WinnerCluster) add(o *WinnerCluster) {
	c.All.add(o.All)
	c.Labels.add(o.Labels)
	c.Prediction = c.Prediction.Add(o.Prediction)
	c.Loss = c.Loss.Add(o.Loss)
	c.Squares = c.Squares.Add(o.Squares)
}

func (c *WinnerCluster) sub(o *WinnerCluster) {
	c.All.sub(o.All)
	c.Labels.sub(o.Labels)
	c.Prediction = c.Prediction.Sub(o.Prediction)
	c.Loss = c.Loss.Sub(o.Loss)
	c.Squares = c.Squares.Sub(o.Squares)
}

// CandidateClusters holds the buckets that have anything.
type CandidateClusters struct{ paged[CandidateCluster] }

func (c *CandidateClusters) add(o *CandidateClusters) {
	merge(&c.paged, &o.paged, (*CandidateCluster).add)
}

func (c *CandidateClusters) sub(o *CandidateClusters) {
	merge(&c.paged, &o.paged, (*CandidateCluster).sub)
	prune(&c.paged)
}

// WinnerClusters holds the buckets that have anything.
type WinnerClusters struct{ paged[WinnerCluster] }

func (c *WinnerClusters) add(o *WinnerClusters) {
	merge(&c.paged, &o.paged, (*WinnerCluster).add)
}

func (c *WinnerClusters) sub(o *WinnerClusters) {
	merge(&c.paged, &o.paged, (*WinnerCluster).sub)
	prune(&c.paged)
}

// clusterTable collects the unweighted candidates of one cell by bucket.
type clusterTable [clusterBuckets]clusterRow

// clusterRow is a cache line. 64 bits hold Σp and Σr of 2^23 candidates that
// are sure to convert, more than one flush can bring to a bucket.
type clusterRow struct {
	pairs, p, r int64
	absLog, log fixed.Int128
	_           int64
}

func (t *clusterTable) add(bucket uint8, m *measures) {
	row := &t[bucket]
	row.pairs += m.referenced
	row.p += m.p
	row.r += m.r
	row.absLog = row.absLog.Add(m.absLog)
	row.log = row.log.Add(m.log)
}

func (t *clusterTable) addTo(c *CandidateClusters) {
	for b := range t {
		row := &t[b]
		if row.pairs == 0 {
			continue
		}
		sums := CandidateCluster{
			Paired: fixed.FromInt64(row.p), Reference: fixed.FromInt64(row.r), AbsLog: row.absLog, Log: row.log,
		}
		sums.Pairs.count(row.pairs, 0)
		c.at(uint8(b)).add(&sums)
	}
}

// Exposure is what is known of winners that were shown with a known probability:
// with r = 1/propensity, at most 100, the sums that a self-normalised estimate
// for all candidates rests on. They are unweighted.
type Exposure struct {
	Shown   int64        // winners with a propensity
	Random  int64        // of these, with one below 1
	Clipped fixed.Int128 // Σr of those whose propensity was raised to 0.01
	R, RR   fixed.Int128 // Σr, Σr²
	RP, RY  fixed.Int128 // Σrp, Σry
	RRY     fixed.Int128 // Σr²y
	RRPY    fixed.Int128 // Σr²py
	RRPP    fixed.Int128 // Σr²p²
}

// exposureBits are the binary places of Exposure's sums.
const exposureBits = 40

func (x *Exposure) fields() [8]*fixed.Int128 {
	return [8]*fixed.Int128{&x.Clipped, &x.R, &x.RR, &x.RP, &x.RY, &x.RRY, &x.RRPY, &x.RRPP}
}

func (x *Exposure) add(o *Exposure) {
	if o.Shown == 0 && *o == (Exposure{}) {
		return
	}
	x.Shown += o.Shown
	x.Random += o.Random
	to, from := x.fields(), o.fields()
	for i := range to {
		*to[i] = to[i].Add(*from[i])
	}
}

func (x *Exposure) sub(o *Exposure) {
	if o.Shown == 0 && *o == (Exposure{}) {
		return
	}
	x.Shown -= o.Shown
	x.Random -= o.Random
	to, from := x.fields(), o.fields()
	for i := range to {
		*to[i] = to[i].Sub(*from[i])
	}
}
