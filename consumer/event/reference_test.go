package event_test

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"sort"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// parseFailures are the reasons with which a decoder may refuse what the
// oracle cannot parse. Which one depends on what it meets first.
var parseFailures = []event.Reason{event.ReasonMalformed, event.ReasonUTF8, event.ReasonUnknownField}

// oracleParse parses with generated code, and with the two rules by which the
// decoder is stricter: known fields of a wrong wire type, and numbers such as
// 1e that are not JSON.
func oracleParse(f event.Format, b []byte, m proto.Message) bool {
	if f == event.JSON {
		return json.Valid(b) && protojson.Unmarshal(b, m) == nil
	}
	return proto.Unmarshal(b, m) == nil && wireTypesMatch(b, m.ProtoReflect().Descriptor())
}

// wireTypesMatch walks a message that is known to parse.
func wireTypesMatch(b []byte, md protoreflect.MessageDescriptor) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return false
		}
		value := b[n : n+size]
		b = b[n+size:]
		if typ == protowire.StartGroupType && !groupNumbersInRange(value) {
			return false
		}
		fd := md.Fields().ByNumber(num)
		if fd == nil {
			continue
		}
		want := wireTypeOf(fd.Kind())
		packed := fd.IsList() && typ == protowire.BytesType && want != protowire.BytesType
		if typ != want && !packed {
			return false
		}
		if fd.Kind() == protoreflect.MessageKind {
			content, _ := protowire.ConsumeBytes(value)
			if !wireTypesMatch(content, fd.Message()) {
				return false
			}
		}
	}
	return true
}

// groupNumbersInRange is stricter than protowire, which lets field numbers of
// 30 and 31 bits pass inside a group.
func groupNumbersInRange(b []byte) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber {
			return n < 0
		}
		b = b[n:]
		if typ == protowire.StartGroupType || typ == protowire.EndGroupType {
			continue
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return true
		}
		b = b[n:]
	}
	return true
}

func wireTypeOf(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.StringKind, protoreflect.MessageKind:
		return protowire.BytesType
	}
	return protowire.VarintType
}

// wantPrediction is the plain, slow form of what the decoder has to do with a
// message that parses.
func wantPrediction(m *eventpb.Prediction, nowMs int64) (*event.Prediction, event.Reason) {
	if m.AuctionId == "" {
		return nil, event.ReasonMissingID
	}
	if !timeOK(m.EventTimeMs, nowMs) {
		return nil, event.ReasonEventTime
	}
	p := &event.Prediction{
		AuctionID: []byte(m.AuctionId), EventTimeMs: m.EventTimeMs, UnitID: m.UnitId, SampleWeight: m.SampleWeight,
		ModelVersion: []byte(m.ModelVersion), QueryEmbeddingVersion: []byte(m.QueryEmbeddingVersion),
	}
	if len(m.Assignments) == 0 {
		return nil, event.ReasonNoAssignment
	}
	experiments := map[string]bool{}
	for _, a := range m.Assignments {
		if a.Experiment == "" || a.Arm == "" {
			return nil, event.ReasonNoAssignment
		}
		if !(a.RampPercent >= 0 && a.RampPercent <= 100) {
			return nil, event.ReasonRamp
		}
		experiments[a.Experiment] = true
		ramp := math.Abs(a.RampPercent) // -0 becomes 0
		p.Assignments = append(p.Assignments, event.Assignment{Experiment: []byte(a.Experiment), Arm: []byte(a.Arm), RampPercent: ramp})
	}
	if len(experiments) < len(m.Assignments) {
		return nil, event.ReasonDuplicateExperiment
	}
	for k, v := range m.Dimensions {
		if k == "" || strings.HasPrefix(k, "__") || slices.Contains(event.DefaultLabelNames(), k) {
			return nil, event.ReasonDimension
		}
		p.Dimensions = append(p.Dimensions, event.Dimension{Key: []byte(k), Value: []byte(v)})
	}
	sort.Slice(p.Dimensions, func(i, k int) bool { return bytes.Compare(p.Dimensions[i].Key, p.Dimensions[k].Key) < 0 })
	for _, t := range m.TowerCalls {
		if t.Tower == "" || t.Outcome < 0 || t.Outcome > 3 {
			return nil, event.ReasonOutcome
		}
		p.TowerCalls = append(p.TowerCalls, event.TowerCall{Tower: []byte(t.Tower), Outcome: event.Outcome(t.Outcome), LatencyUs: t.LatencyUs})
	}
	if !(m.SampleWeight >= 0 && m.SampleWeight <= 1_048_576) {
		return nil, event.ReasonWeight
	}
	if m.Candidates != nil {
		if r := wantCandidates(m.Candidates, &p.Candidates); r != event.ReasonNone {
			return nil, r
		}
	}
	return p, event.ReasonNone
}

func wantCandidates(m *eventpb.Candidates, c *event.Candidates) event.Reason {
	n := len(m.ItemIds)
	lengths := []int{
		len(m.References), len(m.FeaturesPresent), len(m.ItemEmbeddingVersionIndex), len(m.StageIndex),
		len(m.OptimizationTypeIndex), len(m.AdvertiserIds), len(m.Utilities),
	}
	if max(n, len(m.Predictions), slices.Max(lengths)) > event.MaxCandidates {
		return event.ReasonTooLarge
	}
	if len(m.Predictions) != n || slices.ContainsFunc(lengths, func(l int) bool { return l != 0 && l != n }) {
		return event.ReasonColumns
	}
	open := func(p float32) bool { return p > 0 && p < 1 }
	for _, p := range m.Predictions {
		if !open(p) {
			return event.ReasonPrediction
		}
	}
	for _, r := range m.References {
		if r != 0 && !open(r) {
			return event.ReasonReference
		}
		c.References = append(c.References, float32(math.Abs(float64(r))))
	}
	if len(m.FeatureFamilies) > 64 {
		return event.ReasonFamilies
	}
	for _, mask := range m.FeaturesPresent {
		for bit := len(m.FeatureFamilies); bit < 64; bit++ {
			if mask>>bit&1 == 1 {
				return event.ReasonFamilies
			}
		}
	}
	inTable := func(index []uint32, table []string) bool {
		return !slices.ContainsFunc(index, func(k uint32) bool { return uint64(k) >= uint64(len(table)) })
	}
	if !inTable(m.ItemEmbeddingVersionIndex, m.ItemEmbeddingVersions) || !inTable(m.StageIndex, m.Stages) ||
		!inTable(m.OptimizationTypeIndex, m.OptimizationTypes) {
		return event.ReasonIndex
	}
	for _, u := range m.Utilities {
		if math.IsNaN(float64(u)) || math.IsInf(float64(u), 0) {
			return event.ReasonMalformed
		}
	}
	variants := map[string]bool{}
	for _, s := range m.ShadowScores {
		if len(s.Predictions) != n {
			return event.ReasonColumns
		}
		if s.Variant == "" || slices.ContainsFunc(s.Predictions, func(p float32) bool { return !open(p) }) {
			return event.ReasonShadow
		}
		variants[s.Variant] = true
		c.Shadow = append(c.Shadow, event.ShadowScores{Variant: []byte(s.Variant), Predictions: s.Predictions})
	}
	if len(variants) < len(m.ShadowScores) {
		return event.ReasonShadow
	}
	c.ItemIDs, c.Predictions, c.FeaturesPresent = m.ItemIds, m.Predictions, m.FeaturesPresent
	c.FeatureFamilies, c.ItemVersionIdx, c.ItemVersions = byteTable(m.FeatureFamilies), m.ItemEmbeddingVersionIndex, byteTable(m.ItemEmbeddingVersions)
	c.StageIdx, c.Stages = m.StageIndex, byteTable(m.Stages)
	c.OptTypeIdx, c.OptTypes = m.OptimizationTypeIndex, byteTable(m.OptimizationTypes)
	c.AdvertiserIDs, c.Utilities = m.AdvertiserIds, m.Utilities
	return event.ReasonNone
}

func byteTable(names []string) [][]byte {
	var table [][]byte
	for _, n := range names {
		table = append(table, []byte(n))
	}
	return table
}

func wantImpression(m *eventpb.Impression, nowMs int64) (*event.Impression, event.Reason) {
	switch {
	case m.ImpressionId == "" || m.AuctionId == "":
		return nil, event.ReasonMissingID
	case !timeOK(m.EventTimeMs, nowMs):
		return nil, event.ReasonEventTime
	case !(m.Propensity >= 0 && m.Propensity <= 1):
		return nil, event.ReasonPropensity
	}
	return &event.Impression{
		ImpressionID: []byte(m.ImpressionId), AuctionID: []byte(m.AuctionId), ItemID: m.ItemId, EventTimeMs: m.EventTimeMs,
		Position: m.Position, CostMicros: m.CostMicros, Propensity: m.Propensity,
	}, event.ReasonNone
}

func wantConversion(m *eventpb.Conversion, nowMs int64) (*event.Conversion, event.Reason) {
	switch {
	case m.ConversionId == "" || m.ImpressionId == "":
		return nil, event.ReasonMissingID
	case !timeOK(m.EventTimeMs, nowMs) || m.ImpressionTimeMs < 0:
		return nil, event.ReasonEventTime
	}
	return &event.Conversion{
		ConversionID: []byte(m.ConversionId), ImpressionID: []byte(m.ImpressionId), AuctionID: []byte(m.AuctionId),
		EventTimeMs: m.EventTimeMs, ConversionType: []byte(m.ConversionType), ValueMicros: m.ValueMicros,
		Retracted: m.Retracted, ImpressionTimeMs: m.ImpressionTimeMs,
	}, event.ReasonNone
}

func timeOK(t, nowMs int64) bool { return t > 0 && t <= nowMs+3_600_000 }
