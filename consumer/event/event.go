// Package event owns the wire: it turns the bytes of one record of the event
// contract (protobuf or proto3 JSON) into columns, and refuses what breaks the
// contract with a reason.
//
// It is a leaf. It knows no Kafka, no clock and no state; one Decoder belongs
// to one goroutine and allocates nothing in steady state.
package event

import "fmt"

// Stream names one of the three input streams.
type Stream uint8

// The three streams, in the order in which they are used as indexes.
const (
	Predictions Stream = iota
	Impressions
	Conversions
	// NumStreams is the number of streams, for arrays indexed by Stream.
	NumStreams
)

// String is the stream's name in file names, metrics and the API.
func (s Stream) String() string {
	switch s {
	case Predictions:
		return "predictions"
	case Impressions:
		return "impressions"
	case Conversions:
		return "conversions"
	}
	return fmt.Sprintf("stream(%d)", uint8(s))
}

// Format is the encoding of a stream's records.
type Format uint8

// The formats that a topic can be configured with.
const (
	Protobuf Format = iota
	JSON
)

// String is the format's name in the configuration.
func (f Format) String() string {
	if f == JSON {
		return "json"
	}
	return "protobuf"
}

// Prediction is one decoded record of the predictions stream. Byte slices and
// columns belong to the Decoder or to the record's buffer and are valid until
// the Decoder's next call or the buffer's reuse, whichever comes first.
type Prediction struct {
	AuctionID             []byte
	EventTimeMs           int64
	UnitID                uint64  // 0: unknown
	SampleWeight          float32 // as sent; 0 means 1, see Weight
	ModelVersion          []byte
	QueryEmbeddingVersion []byte
	Assignments           []Assignment
	Dimensions            []Dimension // sorted by key, keys unique (the last one on the wire wins)
	TowerCalls            []TowerCall
	Candidates            Candidates
}

// Weight is the record's sampling weight: SampleWeight, or 1 when it is 0.
func (p *Prediction) Weight() float32 {
	if p.SampleWeight == 0 {
		return 1
	}
	return p.SampleWeight
}

// Assignment puts the auction in one arm of one experiment.
type Assignment struct {
	Experiment, Arm []byte
	RampPercent     float64 // 0..100
}

// Dimension is one attribute to slice by.
type Dimension struct{ Key, Value []byte }

// Outcome is how a tower call ended.
type Outcome uint8

// Outcomes, with the numbers of the contract.
const (
	OutcomeUnspecified Outcome = iota
	OutcomeOK
	OutcomeTimeout
	OutcomeError
	NumOutcomes
)

// TowerCall is one call made to serve an auction.
type TowerCall struct {
	Tower     []byte
	Outcome   Outcome
	LatencyUs uint32
}

// Candidates holds n candidates as parallel columns: ItemIDs and Predictions
// have n entries, every other column n or none. Each *Index entry is below the
// length of its table, and no mask has a bit at or above len(FeatureFamilies):
// the Decoder has checked all of it.
type Candidates struct {
	ItemIDs         []uint64
	Predictions     []float32 // in (0,1)
	References      []float32 // in [0,1); 0: this candidate has none
	FeaturesPresent []uint64
	FeatureFamilies [][]byte
	// FeaturesAny and FeaturesAll are the masks of all candidates, or'ed and
	// and'ed: equal when all candidates have the same features.
	FeaturesAny, FeaturesAll uint64
	ItemVersionIdx           []uint32
	ItemVersions             [][]byte
	StageIdx                 []uint32
	Stages                   [][]byte
	OptTypeIdx               []uint32
	OptTypes                 [][]byte
	AdvertiserIDs            []uint64
	Utilities                []float32
	Shadow                   []ShadowScores
	// TableNumbers holds a number for the contents of each string table, by
	// FamilyTable and its like: two records of one Decoder with the same number
	// have the same table. 0: not known.
	TableNumbers [NumTables]uint32
}

// Len is the number of candidates.
func (c *Candidates) Len() int { return len(c.ItemIDs) }

// ShadowScores are the same candidates scored again under one changed condition.
type ShadowScores struct {
	Variant     []byte
	Predictions []float32
}

// Impression is one decoded record of the impressions stream.
type Impression struct {
	ImpressionID []byte
	AuctionID    []byte
	ItemID       uint64
	EventTimeMs  int64
	Position     uint32
	CostMicros   int64
	Propensity   float32
}

// Conversion is one decoded record of the conversions stream.
type Conversion struct {
	ConversionID     []byte
	ImpressionID     []byte
	AuctionID        []byte
	EventTimeMs      int64
	ConversionType   []byte
	ValueMicros      int64
	Retracted        bool
	ImpressionTimeMs int64
}

// Reason says why a record is refused. It is a closed set, used as a metric
// label and as a dead letter's header.
type Reason uint8

// The reasons. ReasonNone means that the record is good.
const (
	ReasonNone                Reason = iota
	ReasonMalformed                  // bytes that are not the format: truncated, wrong wire type, JSON syntax or type
	ReasonUnknownField               // JSON: a field that the message does not have
	ReasonUTF8                       // a string that is not valid UTF-8
	ReasonMissingID                  // empty auction_id, impression_id or conversion_id
	ReasonEventTime                  // event time 0, negative, or more than an hour ahead of the clock
	ReasonNoAssignment               // a prediction without assignment, or one without experiment or arm
	ReasonDuplicateExperiment        // the same experiment twice in one auction
	ReasonRamp                       // ramp outside 0..100, or not a number
	ReasonPrediction                 // prediction outside (0,1), or not a number
	ReasonReference                  // reference outside [0,1), or not a number
	ReasonColumns                    // columns of unequal length
	ReasonIndex                      // an index outside its table
	ReasonFamilies                   // more than 64 families, or bits beyond the families
	ReasonWeight                     // sample weight negative, above MaxWeight or not a number
	ReasonPropensity                 // propensity outside 0..1, or not a number
	ReasonDimension                  // a dimension named like a label of rampgauge's own, or empty
	ReasonOutcome                    // a tower call with an unknown outcome or an empty tower
	ReasonShadow                     // a shadow score outside (0,1), or an empty or repeated variant
	ReasonTooLarge                   // more candidates than MaxCandidates
	ReasonKey                        // an empty record key
	ReasonCorruptBatch               // a record batch that cannot be decompressed or fails its checksum
	NumReasons
)
