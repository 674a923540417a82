package eventtest

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// onPrediction, onCandidates and their like give a fault its typed message.
func onPrediction(kind string, reason event.Reason, change func(*rand.Rand, *eventpb.Prediction)) fault {
	return fault{kind: kind, stream: event.Predictions, reason: reason, message: func(r *rand.Rand, m proto.Message) {
		change(r, m.(*eventpb.Prediction))
	}}
}

func onCandidates(kind string, reason event.Reason, change func(*rand.Rand, *eventpb.Candidates)) fault {
	return onPrediction(kind, reason, func(r *rand.Rand, p *eventpb.Prediction) { change(r, p.Candidates) })
}

func onImpression(kind string, reason event.Reason, change func(*rand.Rand, *eventpb.Impression)) fault {
	return fault{kind: kind, stream: event.Impressions, reason: reason, message: func(r *rand.Rand, m proto.Message) {
		change(r, m.(*eventpb.Impression))
	}}
}

func onConversion(kind string, reason event.Reason, change func(*rand.Rand, *eventpb.Conversion)) fault {
	return fault{kind: kind, stream: event.Conversions, reason: reason, message: func(r *rand.Rand, m proto.Message) {
		change(r, m.(*eventpb.Conversion))
	}}
}

var (
	nan32 = float32(math.NaN())
	inf32 = float32(math.Inf(1))
)

// outsideOpen are values that are no probability strictly between 0 and 1.
var outsideOpen = []float32{0, 1, -0.25, 1.5, nan32, inf32, -inf32, math.Float32frombits(0x80000000), -1e-40, math.MaxFloat32}

func pick[T any](r *rand.Rand, values []T) *T { return &values[r.IntN(len(values))] }

func badTime(r *rand.Rand) int64 {
	return *pick(r, []int64{0, -1, -NowMs, math.MinInt64, NowMs + event.MaxAheadMs + 1, NowMs * 1000, math.MaxInt64})
}

func predictionFaults() []fault {
	return []fault{
		onPrediction("prediction without auction_id", event.ReasonMissingID, func(r *rand.Rand, p *eventpb.Prediction) { p.AuctionId = "" }),
		onPrediction("prediction with event time 0 or far off", event.ReasonEventTime, func(r *rand.Rand, p *eventpb.Prediction) { p.EventTimeMs = badTime(r) }),
		onPrediction("no assignment", event.ReasonNoAssignment, func(r *rand.Rand, p *eventpb.Prediction) { p.Assignments = nil }),
		onPrediction("assignment without experiment", event.ReasonNoAssignment, func(r *rand.Rand, p *eventpb.Prediction) { (*pick(r, p.Assignments)).Experiment = "" }),
		onPrediction("assignment without arm", event.ReasonNoAssignment, func(r *rand.Rand, p *eventpb.Prediction) { (*pick(r, p.Assignments)).Arm = "" }),
		onPrediction("duplicate experiment", event.ReasonDuplicateExperiment, func(r *rand.Rand, p *eventpb.Prediction) {
			again := proto.Clone(*pick(r, p.Assignments)).(*eventpb.Assignment)
			again.Arm = "another"
			p.Assignments = append(p.Assignments, again)
		}),
		onPrediction("ramp out of range", event.ReasonRamp, func(r *rand.Rand, p *eventpb.Prediction) {
			(*pick(r, p.Assignments)).RampPercent = *pick(r, []float64{-1, -1e-300, 100.0001, 1e300, math.NaN(), math.Inf(1), math.Inf(-1)})
		}),
		onPrediction("weight negative, too large or not finite", event.ReasonWeight, func(r *rand.Rand, p *eventpb.Prediction) {
			p.SampleWeight = *pick(r, []float32{-1, -1e-40, nan32, inf32, -inf32, 2e6, math.MaxFloat32})
		}),
		onPrediction("dimension named like a label", event.ReasonDimension, func(r *rand.Rand, p *eventpb.Prediction) {
			p.Dimensions[*pick(r, append(event.DefaultLabelNames(), "__name__", "__"))] = "x"
		}),
		onPrediction("dimension without name", event.ReasonDimension, func(r *rand.Rand, p *eventpb.Prediction) { p.Dimensions[""] = "x" }),
		onPrediction("tower call with unknown outcome", event.ReasonOutcome, func(r *rand.Rand, p *eventpb.Prediction) {
			(*pick(r, p.TowerCalls)).Outcome = *pick(r, []eventpb.TowerCall_Outcome{4, 5, 127, 260, -1, math.MaxInt32, math.MinInt32})
		}),
		onPrediction("tower call without tower", event.ReasonOutcome, func(r *rand.Rand, p *eventpb.Prediction) { (*pick(r, p.TowerCalls)).Tower = "" }),
		{kind: "prediction with an empty key", stream: event.Predictions, reason: event.ReasonKey},
	}
}

func candidateFaults() []fault {
	unequal := func(kind string, change func(*rand.Rand, *eventpb.Candidates)) fault {
		return onCandidates("columns of unequal length: "+kind, event.ReasonColumns, change)
	}
	return []fault{
		onCandidates("prediction outside (0,1)", event.ReasonPrediction, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.Predictions) = *pick(r, outsideOpen) }),
		onCandidates("prediction not a number", event.ReasonPrediction, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.Predictions) = nan32 }),
		onCandidates("prediction 0", event.ReasonPrediction, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.Predictions) = 0 }),
		onCandidates("prediction 1", event.ReasonPrediction, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.Predictions) = 1 }),
		onCandidates("prediction negative", event.ReasonPrediction, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.Predictions) *= -1 }),
		onCandidates("prediction above 1", event.ReasonPrediction, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.Predictions) += 1 }),
		onCandidates("reference outside [0,1)", event.ReasonReference, func(r *rand.Rand, c *eventpb.Candidates) {
			*pick(r, c.References) = *pick(r, []float32{1, -0.25, 1.5, nan32, inf32, -inf32, -1e-40})
		}),
		unequal("predictions", func(r *rand.Rand, c *eventpb.Candidates) { c.Predictions = c.Predictions[1:] }),
		unequal("no predictions", func(r *rand.Rand, c *eventpb.Candidates) { c.Predictions = nil }),
		unequal("no item_ids", func(r *rand.Rand, c *eventpb.Candidates) { c.ItemIds = nil }),
		unequal("references", func(r *rand.Rand, c *eventpb.Candidates) { c.References = append(c.References, 0.5) }),
		unequal("features_present", func(r *rand.Rand, c *eventpb.Candidates) { c.FeaturesPresent = append(c.FeaturesPresent, 1) }),
		unequal("item_embedding_version_index", func(r *rand.Rand, c *eventpb.Candidates) {
			c.ItemEmbeddingVersionIndex = append(c.ItemEmbeddingVersionIndex, 0)
		}),
		unequal("stage_index", func(r *rand.Rand, c *eventpb.Candidates) { c.StageIndex = append(c.StageIndex, 0) }),
		unequal("optimization_type_index", func(r *rand.Rand, c *eventpb.Candidates) {
			c.OptimizationTypeIndex = append(c.OptimizationTypeIndex, 1)
		}),
		unequal("advertiser_ids", func(r *rand.Rand, c *eventpb.Candidates) { c.AdvertiserIds = append(c.AdvertiserIds, 1) }),
		unequal("utilities", func(r *rand.Rand, c *eventpb.Candidates) { c.Utilities = append(c.Utilities, 1) }),
		unequal("shadow_scores", func(r *rand.Rand, c *eventpb.Candidates) {
			s := *pick(r, c.ShadowScores)
			s.Predictions = s.Predictions[1:]
		}),
		onCandidates("version index outside its table", event.ReasonIndex, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.ItemEmbeddingVersionIndex) = badIndex(r, 3) }),
		onCandidates("stage index outside its table", event.ReasonIndex, func(r *rand.Rand, c *eventpb.Candidates) { *pick(r, c.StageIndex) = badIndex(r, 4) }),
		onCandidates("optimization type index without table", event.ReasonIndex, func(r *rand.Rand, c *eventpb.Candidates) { c.OptimizationTypes = nil }),
		onCandidates("65 families", event.ReasonFamilies, func(r *rand.Rand, c *eventpb.Candidates) {
			for len(c.FeatureFamilies) < 65+r.IntN(3) {
				c.FeatureFamilies = append(c.FeatureFamilies, "one more")
			}
		}),
		onCandidates("bits beyond the families", event.ReasonFamilies, func(r *rand.Rand, c *eventpb.Candidates) {
			n := len(c.FeatureFamilies)
			*pick(r, c.FeaturesPresent) |= 1 << (n + r.IntN(64-n))
		}),
		onCandidates("utility not finite", event.ReasonMalformed, func(r *rand.Rand, c *eventpb.Candidates) {
			*pick(r, c.Utilities) = *pick(r, []float32{nan32, inf32, -inf32})
		}),
		onCandidates("shadow score outside (0,1)", event.ReasonShadow, func(r *rand.Rand, c *eventpb.Candidates) {
			*pick(r, (*pick(r, c.ShadowScores)).Predictions) = *pick(r, outsideOpen)
		}),
		onCandidates("shadow variant empty", event.ReasonShadow, func(r *rand.Rand, c *eventpb.Candidates) { (*pick(r, c.ShadowScores)).Variant = "" }),
		onCandidates("shadow variant twice", event.ReasonShadow, func(r *rand.Rand, c *eventpb.Candidates) {
			c.ShadowScores = append(c.ShadowScores, proto.Clone(c.ShadowScores[0]).(*eventpb.ShadowScores))
		}),
	}
}

// badIndex returns an index that a table of n entries does not have.
func badIndex(r *rand.Rand, n uint32) uint32 {
	return *pick(r, []uint32{n, n + 1, 127, 128, 1 << 20, math.MaxInt32, math.MaxUint32})
}

func outcomeFaults() []fault {
	return []fault{
		onImpression("impression without impression_id", event.ReasonMissingID, func(r *rand.Rand, i *eventpb.Impression) { i.ImpressionId = "" }),
		onImpression("impression without auction_id", event.ReasonMissingID, func(r *rand.Rand, i *eventpb.Impression) { i.AuctionId = "" }),
		onImpression("impression with event time 0 or far off", event.ReasonEventTime, func(r *rand.Rand, i *eventpb.Impression) { i.EventTimeMs = badTime(r) }),
		onImpression("propensity outside 0..1", event.ReasonPropensity, func(r *rand.Rand, i *eventpb.Impression) {
			i.Propensity = *pick(r, []float32{-0.1, 1.0001, nan32, inf32, -inf32, -1e-40})
		}),
		{kind: "impression with an empty key", stream: event.Impressions, reason: event.ReasonKey},
		onConversion("conversion without conversion_id", event.ReasonMissingID, func(r *rand.Rand, c *eventpb.Conversion) { c.ConversionId = "" }),
		onConversion("conversion without impression_id", event.ReasonMissingID, func(r *rand.Rand, c *eventpb.Conversion) { c.ImpressionId = "" }),
		onConversion("conversion with event time 0 or far off", event.ReasonEventTime, func(r *rand.Rand, c *eventpb.Conversion) { c.EventTimeMs = badTime(r) }),
		onConversion("conversion with negative impression time", event.ReasonEventTime, func(r *rand.Rand, c *eventpb.Conversion) { c.ImpressionTimeMs = -1 - r.Int64N(NowMs) }),
		{kind: "conversion with an empty key", stream: event.Conversions, reason: event.ReasonKey},
	}
}
