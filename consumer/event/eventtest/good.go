// Package eventtest builds records of the event contract for tests: good ones
// of a wanted shape, the same content in other legal encodings, and malformed
// ones with the reason for which a decoder has to refuse them.
//
// It is not part of the product, and it checks nothing itself.
package eventtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// NowMs is the clock, in Unix milliseconds, for which the records of this
// package are good or bad. Their event times lie within the hour before it.
const NowMs int64 = 1_770_000_000_000

// Shape says what NewPrediction puts into a record.
type Shape struct {
	Candidates  int // number of candidates, all columns present
	Assignments int
	Dimensions  int
	TowerCalls  int
	Families    int // 0 leaves out features_present
	Shadows     int
}

// Usual is the shape of a record of n candidates as a producer sends it: all
// columns, one assignment, two dimensions, two tower calls, eight families.
func Usual(n int) Shape {
	return Shape{Candidates: n, Assignments: 1, Dimensions: 2, TowerCalls: 2, Families: 8}
}

var (
	familyNames    = []string{"user", "item", "context", "offsite_visits", "annotations", "targeting", "embedding", "counts"}
	stageNames     = []string{"retrieved", "ranked", "auctioned", "won"}
	dimensionNames = []string{"surface", "country", "device", "log_source", "segment", "slot", "placement", "os"}
	shadowNames    = []string{"full_features", "aligned_versions"}
)

// NewPrediction returns a random good prediction of the shape.
func NewPrediction(r *rand.Rand, s Shape) *eventpb.Prediction {
	p := &eventpb.Prediction{
		AuctionId:             fmt.Sprintf("auction-%016x", r.Uint64()),
		EventTimeMs:           NowMs - r.Int64N(3_600_000),
		ModelVersion:          fmt.Sprintf("l1-cvr-%d", r.IntN(100)),
		QueryEmbeddingVersion: fmt.Sprintf("v%d", r.IntN(10)),
		UnitId:                r.Uint64(),
	}
	if r.IntN(2) == 0 {
		p.SampleWeight = 1 + r.Float32()*9
	}
	for i := range s.Assignments {
		p.Assignments = append(p.Assignments, &eventpb.Assignment{
			Experiment:  fmt.Sprintf("experiment-%d", i),
			Arm:         []string{"control", "treatment"}[r.IntN(2)],
			RampPercent: float64(r.IntN(101)),
		})
	}
	if s.Dimensions > 0 {
		p.Dimensions = make(map[string]string, s.Dimensions)
	}
	for i := range s.Dimensions {
		name := fmt.Sprintf("dimension_%d", i)
		if i < len(dimensionNames) {
			name = dimensionNames[i]
		}
		p.Dimensions[name] = []string{"home", "search", "related"}[r.IntN(3)]
	}
	for i := range s.TowerCalls {
		p.TowerCalls = append(p.TowerCalls, &eventpb.TowerCall{
			Tower:     []string{"query", "item"}[i%2],
			Outcome:   eventpb.TowerCall_Outcome(r.IntN(4)),
			LatencyUs: r.Uint32N(100_000),
		})
	}
	p.Candidates = newCandidates(r, s)
	return p
}

func newCandidates(r *rand.Rand, s Shape) *eventpb.Candidates {
	c := &eventpb.Candidates{
		ItemEmbeddingVersions: []string{"v7", "v8", "v9"},
		Stages:                stageNames,
		OptimizationTypes:     []string{"CPC", "oCPM"},
	}
	for i := range s.Families {
		name := fmt.Sprintf("family_%d", i)
		if i < len(familyNames) {
			name = familyNames[i]
		}
		c.FeatureFamilies = append(c.FeatureFamilies, name)
	}
	for range s.Candidates {
		p := Probability(r)
		c.ItemIds = append(c.ItemIds, r.Uint64())
		c.Predictions = append(c.Predictions, p)
		c.References = append(c.References, min(p*(0.5+r.Float32()), 0.99))
		if s.Families > 0 {
			c.FeaturesPresent = append(c.FeaturesPresent, r.Uint64()>>(64-s.Families))
		}
		c.ItemEmbeddingVersionIndex = append(c.ItemEmbeddingVersionIndex, r.Uint32N(3))
		c.StageIndex = append(c.StageIndex, r.Uint32N(4))
		c.OptimizationTypeIndex = append(c.OptimizationTypeIndex, r.Uint32N(2))
		c.AdvertiserIds = append(c.AdvertiserIds, r.Uint64N(1_000_000))
		c.Utilities = append(c.Utilities, p*r.Float32()*10)
	}
	for i := range s.Shadows {
		sh := &eventpb.ShadowScores{Variant: fmt.Sprintf("variant_%d", i)}
		if i < len(shadowNames) {
			sh.Variant = shadowNames[i]
		}
		for range s.Candidates {
			sh.Predictions = append(sh.Predictions, Probability(r))
		}
		c.ShadowScores = append(c.ShadowScores, sh)
	}
	return c
}

// Probability returns a random number in (0,1), mostly small, as conversion
// rates are.
func Probability(r *rand.Rand) float32 {
	p := r.Float32()
	p = p * p * p
	return min(max(p, 1e-7), 1-1e-6)
}

// NewImpression returns a random good impression of the auction and item.
func NewImpression(r *rand.Rand, auction string, item uint64) *eventpb.Impression {
	return &eventpb.Impression{
		ImpressionId: fmt.Sprintf("impression-%016x", r.Uint64()),
		AuctionId:    auction,
		ItemId:       item,
		EventTimeMs:  NowMs - r.Int64N(3_600_000),
		Position:     r.Uint32N(10),
		CostMicros:   r.Int64N(5_000_000),
		Propensity:   r.Float32(),
	}
}

// NewConversion returns a random good conversion of the impression.
func NewConversion(r *rand.Rand, i *eventpb.Impression) *eventpb.Conversion {
	return &eventpb.Conversion{
		ConversionId:     fmt.Sprintf("conversion-%016x", r.Uint64()),
		ImpressionId:     i.ImpressionId,
		AuctionId:        i.AuctionId,
		EventTimeMs:      i.EventTimeMs + r.Int64N(3_000_000),
		ConversionType:   []string{"click", "add_to_cart", "checkout"}[r.IntN(3)],
		ValueMicros:      r.Int64N(100_000_000),
		Retracted:        r.IntN(20) == 0,
		ImpressionTimeMs: i.EventTimeMs,
	}
}

// Encode returns the message's bytes in the format, JSON without white space.
// The same message gives the same bytes. It panics when the message cannot be
// encoded, which is a fault of the test.
func Encode(f event.Format, m proto.Message) []byte {
	var b []byte
	var err error
	if f == event.JSON {
		if b, err = protojson.Marshal(m); err == nil {
			// protojson adds spaces at random, so that nobody relies on them.
			var compact bytes.Buffer
			err = json.Compact(&compact, b)
			b = compact.Bytes()
		}
	} else {
		b, err = proto.MarshalOptions{Deterministic: true}.Marshal(m)
	}
	if err != nil {
		panic(fmt.Sprintf("eventtest: encode %T as %s: %v", m, f, err))
	}
	return b
}

// AppendDelimited appends the message as a varint-delimited protobuf record,
// the form of .pb files.
func AppendDelimited(b []byte, m proto.Message) []byte {
	p := Encode(event.Protobuf, m)
	b = binary.AppendUvarint(b, uint64(len(p)))
	return append(b, p...)
}
