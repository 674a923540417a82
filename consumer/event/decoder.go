package event

import (
	"fmt"
	"strings"
)

// MaxCandidates is the largest number of candidates that one record may carry.
const MaxCandidates = 1 << 20

// MaxFamilies is the largest number of feature families: one bit each in a
// 64-bit mask.
const MaxFamilies = 64

// MaxWeight is the largest sample weight: sums of weighted numbers are integers
// of fixed size, and one in a million is as thin as anyone samples.
const MaxWeight = 1 << 20

// MaxAheadMs is how far ahead of the clock an event time may lie, in
// milliseconds.
const MaxAheadMs = 3_600_000

// maxScratch bounds what a Decoder keeps of one column between two records, in
// bytes. One huge record must not hold its memory for the rest of the run.
const maxScratch = 4 << 20

// Options configures a Decoder.
type Options struct {
	// LabelNames are refused as names of dimensions, because they are labels of
	// rampgauge's own metrics. Nil means DefaultLabelNames. Names that begin
	// with two underscores are refused whatever stands here.
	LabelNames []string
}

// DefaultLabelNames returns a fresh list of the label names of the contract
// and of the names that Prometheus sets itself.
func DefaultLabelNames() []string {
	return []string{
		"experiment", "arm", "ramp_percent", "window", "population", "family", "version", "distance",
		"tower", "quantile", "stage", "topic", "rule", "partition", "outcome",
		"le", "job", "instance",
	}
}

// Decoder turns records into columns. It belongs to one goroutine. What a
// Decode method returns is valid until the next call of any Decode method, and
// only as long as the record's bytes are.
type Decoder struct {
	reserved labelSet

	prediction Prediction
	impression Impression
	conversion Conversion

	shadow      []float32 // backing of all shadow columns of one record
	text        []byte    // JSON strings that had escapes
	names       [][]byte  // scratch for finding duplicates
	maxIdx      [numIndexColumns]uint32
	tables      [NumTables]tableCache
	tableNumber uint32 // given to a table last
	trim        bool   // the last record was large: look for oversized scratch
	failure     failure
}

// failure is what Detail formats. It is kept apart from the text so that a
// refusal does not allocate until somebody asks.
type failure struct {
	reason Reason
	format string // may use %[1]s name, %[2]d a, %[3]d b
	name   string // always a constant
	a, b   int
}

// NewDecoder returns a Decoder with empty scratch space.
func NewDecoder(o Options) *Decoder {
	names := o.LabelNames
	if names == nil {
		names = DefaultLabelNames()
	}
	return &Decoder{reserved: newLabelSet(names)}
}

// DecodePrediction decodes and checks one record of the predictions stream.
// nowMs is the clock, in Unix milliseconds. The result is nil unless the
// reason is ReasonNone.
func (d *Decoder) DecodePrediction(f Format, b []byte, nowMs int64) (*Prediction, Reason) {
	d.reset(len(b))
	var r Reason
	if f == JSON {
		r = d.parsePrediction(b)
	} else {
		r = d.scanPrediction(b)
	}
	if r == ReasonNone {
		r = d.checkPrediction(nowMs)
	}
	if r != ReasonNone {
		return nil, r
	}
	return &d.prediction, ReasonNone
}

// DecodeImpression decodes and checks one record of the impressions stream,
// like DecodePrediction.
func (d *Decoder) DecodeImpression(f Format, b []byte, nowMs int64) (*Impression, Reason) {
	d.text = d.text[:0]
	d.impression = Impression{}
	var r Reason
	if f == JSON {
		r = d.parseImpression(b)
	} else {
		r = d.scanImpression(b)
	}
	if r == ReasonNone {
		r = d.checkImpression(nowMs)
	}
	if r != ReasonNone {
		return nil, r
	}
	return &d.impression, ReasonNone
}

// DecodeConversion decodes and checks one record of the conversions stream,
// like DecodePrediction.
func (d *Decoder) DecodeConversion(f Format, b []byte, nowMs int64) (*Conversion, Reason) {
	d.text = d.text[:0]
	d.conversion = Conversion{}
	var r Reason
	if f == JSON {
		r = d.parseConversion(b)
	} else {
		r = d.scanConversion(b)
	}
	if r == ReasonNone {
		r = d.checkConversion(nowMs)
	}
	if r != ReasonNone {
		return nil, r
	}
	return &d.conversion, ReasonNone
}

// Detail describes the last refusal for a dead letter: constant text and
// numbers, never bytes of the record. It is valid after a Decode method has
// returned a reason, until the next call of one.
func (d *Decoder) Detail() string {
	f := d.failure
	if !strings.Contains(f.format, "%") {
		return f.format
	}
	return fmt.Sprintf(f.format, f.name, f.a, f.b)
}

func (d *Decoder) fail(r Reason, format, name string, a, b int) Reason {
	d.failure = failure{reason: r, format: format, name: name, a: a, b: b}
	return r
}

// reset empties the prediction but keeps its columns' memory.
func (d *Decoder) reset(size int) {
	if d.trim {
		d.release()
	}
	// Scratch is at most 28 times as long as the record (an empty assignment
	// is 2 bytes there and 56 here), so smaller records need no look.
	d.trim = size > maxScratch/32
	p := &d.prediction
	p.AuctionID, p.ModelVersion, p.QueryEmbeddingVersion = nil, nil, nil
	p.EventTimeMs, p.UnitID, p.SampleWeight = 0, 0, 0
	p.Assignments = p.Assignments[:0]
	p.Dimensions = p.Dimensions[:0]
	p.TowerCalls = p.TowerCalls[:0]
	c := &p.Candidates
	c.ItemIDs = c.ItemIDs[:0]
	c.Predictions = c.Predictions[:0]
	c.References = c.References[:0]
	c.FeaturesPresent = c.FeaturesPresent[:0]
	c.ItemVersionIdx = c.ItemVersionIdx[:0]
	c.StageIdx = c.StageIdx[:0]
	c.OptTypeIdx = c.OptTypeIdx[:0]
	c.AdvertiserIDs = c.AdvertiserIDs[:0]
	c.Utilities = c.Utilities[:0]
	c.Shadow = c.Shadow[:0]
	c.FeatureFamilies, c.ItemVersions, c.Stages, c.OptTypes = nil, nil, nil, nil
	c.TableNumbers = [NumTables]uint32{}
	d.shadow = d.shadow[:0]
	d.text = d.text[:0]
	d.maxIdx = [numIndexColumns]uint32{}
}

// release drops scratch that has grown beyond maxScratch.
func (d *Decoder) release() {
	p := &d.prediction
	c := &p.Candidates
	releaseLarge(&p.Assignments)
	releaseLarge(&p.Dimensions)
	releaseLarge(&p.TowerCalls)
	releaseLarge(&c.ItemIDs)
	releaseLarge(&c.Predictions)
	releaseLarge(&c.References)
	releaseLarge(&c.FeaturesPresent)
	releaseLarge(&c.ItemVersionIdx)
	releaseLarge(&c.StageIdx)
	releaseLarge(&c.OptTypeIdx)
	releaseLarge(&c.AdvertiserIDs)
	releaseLarge(&c.Utilities)
	releaseLarge(&c.Shadow)
	releaseLarge(&d.shadow)
	releaseLarge(&d.text)
	releaseLarge(&d.names)
	for i := range d.tables {
		releaseLarge(&d.tables[i].entries)
	}
}
