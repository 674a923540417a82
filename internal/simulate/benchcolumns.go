package simulate

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// poolSize is how many candidates' worth of values are drawn in advance; an
// auction takes a stretch of them at a random offset.
const poolSize = 1 << 14

// columnPool holds values as they stand on the wire.
type columnPool struct {
	items, predictions, references []byte
	features, advertisers          []byte
	utilities                      []byte
	versions, stages, types        []byte // one byte an entry
}

func newColumnPool(o BenchOptions, rng *rand.Rand) *columnPool {
	var c columnPool
	le := binary.LittleEndian
	for i := range poolSize + o.Candidates {
		reference := math.Min(0.5, 0.03*math.Exp(0.8*rng.NormFloat64()))
		prediction := math.Min(0.9, reference*math.Exp(0.2*rng.NormFloat64()))
		// Items repeat only after the pool's length: distinct within an auction.
		c.items = le.AppendUint64(c.items, mix(uint64(i), o.Seed))
		c.predictions = le.AppendUint32(c.predictions, math.Float32bits(float32(prediction)))
		c.references = le.AppendUint32(c.references, math.Float32bits(float32(reference)))
		c.utilities = le.AppendUint32(c.utilities, math.Float32bits(float32(reference*5*rng.ExpFloat64())))
		c.advertisers = le.AppendUint64(c.advertisers, 1+rng.Uint64N(1000))
		var mask uint64
		for f := range o.Families {
			if rng.Float64() < 0.99-0.02*float64(f%20) {
				mask |= 1 << f
			}
		}
		c.features = le.AppendUint64(c.features, mask)
		c.versions = append(c.versions, oneIn(rng, 12))
		c.types = append(c.types, oneIn(rng, 2))
		c.stages = append(c.stages, benchStage(rng.Float64()))
	}
	return &c
}

func oneIn(rng *rand.Rand, n int) byte {
	if rng.IntN(n) == 0 {
		return 1
	}
	return 0
}

// benchStage draws how far a candidate gets, by the usual shares.
func benchStage(v float64) byte {
	switch {
	case v < 0.02:
		return won
	case v < 0.15:
		return auctioned
	case v < 0.4:
		return ranked
	}
	return retrieved
}

// span is n entries of a column from entry from on, each width bytes.
func span(column []byte, from, n, width int) []byte {
	return column[from*width : (from+n)*width]
}
