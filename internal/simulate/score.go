package simulate

import (
	"fmt"
	"math"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// score fills the columns of count candidates and the scratch that the funnel
// sorts.
func (w *world) score(p *eventpb.Prediction, arm *Arm, effect float64, count int) {
	s := &w.opts.Scenario
	c := &eventpb.Candidates{
		ItemIds:                   make([]uint64, count),
		Predictions:               make([]float32, count),
		References:                make([]float32, count),
		FeaturesPresent:           make([]uint64, count),
		FeatureFamilies:           familyNames(s.Families),
		ItemEmbeddingVersionIndex: make([]uint32, count),
		ItemEmbeddingVersions:     itemVersions,
		Stages:                    stages,
		OptimizationTypeIndex:     make([]uint32, count),
		OptimizationTypes:         optimizationTypes,
		AdvertiserIds:             make([]uint64, count),
		Utilities:                 make([]float32, count),
	}
	p.Candidates = c
	w.scored = w.scored[:0]
	firstItem := w.rng.Uint64N(1 << 20)
	for i := range count {
		// Neighbours in a ring of items: distinct within the auction.
		item := (firstItem + uint64(i)*4099) % (1 << 20)
		c.ItemIds[i] = item*2 + 1
		c.AdvertiserIds[i] = 1 + item%997
		truth := math.Min(highestRate, math.Exp(effect+itemSpread*w.rng.NormFloat64()))
		reference := math.Min(highestRate, truth*w.noise(teacherNoise))
		prediction := reference * w.noise(arm.Noise)
		prediction *= w.serve(c, i, arm)
		prediction = math.Min(prediction, 0.99)
		bid := 5 * math.Exp(bidSpread*w.rng.NormFloat64())
		c.References[i] = float32(reference)
		c.Predictions[i] = float32(prediction)
		c.Utilities[i] = float32(reference * bid)
		if w.rng.Float64() < oldItemShare {
			c.ItemEmbeddingVersionIndex[i] = 1
		}
		if w.rng.Float64() < oCPMShare {
			c.OptimizationTypeIndex[i] = 1
		}
		w.scored = append(w.scored, scored{index: i, truth: truth, light: prediction * bid, utility: reference * bid})
	}
}

// noise is a log-normal factor with mean 1.
func (w *world) noise(sd float64) float64 {
	return math.Exp(sd*w.rng.NormFloat64() - sd*sd/2)
}

// serve draws which families candidate i has online, and returns what the lost
// ones do to its prediction.
func (w *world) serve(c *eventpb.Candidates, i int, arm *Arm) float64 {
	factor := 1.0
	for f, family := range w.opts.Scenario.Families {
		present := w.rng.Float64() < family.Available
		for _, l := range arm.Losses {
			if l.Family == family.Name && present && w.rng.Float64() < l.Share {
				present = false
				factor *= l.Factor
			}
		}
		if present {
			c.FeaturesPresent[i] |= 1 << f
		}
	}
	return factor
}

func familyNames(fs []Family) []string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.Name
	}
	return names
}

// show queues the impression of a winner, its conversion, and sometimes the
// conversion's retraction.
func (w *world) show(p *eventpb.Prediction, s scored, position int) {
	at := p.EventTimeMs + 200 + w.rng.Int64N(3800)
	i := &eventpb.Impression{
		ImpressionId: fmt.Sprintf("%s-i%d", p.AuctionId, position),
		AuctionId:    p.AuctionId,
		ItemId:       p.Candidates.ItemIds[s.index],
		EventTimeMs:  at,
		Position:     uint32(position),
		CostMicros:   int64(0.7e6 * s.utility),
	}
	w.pending.push(at, Event{event.Impressions, at, p.AuctionId, i})
	if w.rng.Float64() >= s.truth*w.opts.ConversionScale {
		return
	}
	delay := int64(w.rng.ExpFloat64() * float64(w.opts.ConversionDelay.Milliseconds()))
	// An exponential delay beyond the longest begins again from zero.
	delay %= w.opts.LongestDelay.Milliseconds()
	at += delay
	c := &eventpb.Conversion{
		ConversionId:     i.ImpressionId + "-c",
		ImpressionId:     i.ImpressionId,
		AuctionId:        p.AuctionId,
		EventTimeMs:      at,
		ConversionType:   "checkout",
		ValueMicros:      int64(20e6 * math.Exp(0.6*w.rng.NormFloat64())),
		ImpressionTimeMs: i.EventTimeMs,
	}
	if w.rng.Float64() < 0.25 {
		c.ConversionType = "add_to_cart"
	}
	w.pending.push(at, Event{event.Conversions, at, p.AuctionId, c})
	if w.rng.Float64() < w.opts.RetractionRate {
		at += 1 + w.rng.Int64N(60_000)
		back := &eventpb.Conversion{
			ConversionId:     c.ConversionId,
			ImpressionId:     c.ImpressionId,
			AuctionId:        c.AuctionId,
			EventTimeMs:      at,
			ConversionType:   c.ConversionType,
			ValueMicros:      c.ValueMicros,
			Retracted:        true,
			ImpressionTimeMs: c.ImpressionTimeMs,
		}
		w.pending.push(at, Event{event.Conversions, at, p.AuctionId, back})
	}
}
