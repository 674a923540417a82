package simulate

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// benchShares are the arms' shares in percent: control and treatment in the
// first half of the load, then in the second.
var benchShares = [4]float64{80, 20, 30, 70}

var benchSurfaces = [...]string{"home", "search", "related"}

const (
	idLength    = 16 // hex digits of an auction's number
	hexDigits   = "0123456789abcdef"
	minLatency  = 1 << 7 // two bytes as a varint, as all latencies below 1 << 14
	latencySpan = 1<<14 - minLatency
)

// template is a prediction record whose varying parts have a fixed place, so
// that a record costs a few copies and no encoding.
type template struct {
	value                             []byte
	n                                 int
	id, time, unit                    int
	latencies                         [2]int
	items, predictions, references    int
	features, versions, stages, types int
	advertisers, utilities            int
	timeWidth                         int // bytes of the time, which all times of the load need
}

func newTemplates(o BenchOptions) []template {
	var out []template
	for arm := range benchShares {
		for _, surface := range benchSurfaces {
			out = append(out, newTemplate(o, arm, surface))
		}
	}
	return out
}

// bytesField appends a length-delimited field and returns where its content begins.
func bytesField(b []byte, num protowire.Number, content []byte) ([]byte, int) {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(content)))
	return append(b, content...), len(b)
}

func stringField(b []byte, num protowire.Number, s string) []byte {
	b, _ = bytesField(b, num, []byte(s))
	return b
}

func newTemplate(o BenchOptions, arm int, surface string) template {
	t := template{n: o.Candidates}
	var b []byte
	b, t.id = bytesField(b, 1, make([]byte, idLength))
	b = protowire.AppendTag(b, 2, protowire.VarintType)
	t.time = len(b)
	b = protowire.AppendVarint(b, uint64(o.Start.UnixMilli()))
	t.timeWidth = len(b) - t.time
	b = stringField(b, 3, string(benchAssignment(arm)))
	b = stringField(b, 4, string(stringField(stringField(nil, 1, "surface"), 2, surface)))
	b = stringField(b, 5, fmt.Sprintf("l1-cvr-v%d", 1+arm%2))
	b = stringField(b, 6, queryVersion)
	for i, tower := range []string{"query", "item"} {
		call := stringField(nil, 1, tower)
		call = protowire.AppendVarint(protowire.AppendTag(call, 2, protowire.VarintType), 1)
		call = protowire.AppendVarint(protowire.AppendTag(call, 3, protowire.VarintType), minLatency)
		b, _ = bytesField(b, 7, call)
		t.latencies[i] = len(b) - 2
	}
	candidates := t.candidates(o)
	var at int
	b, at = bytesField(b, 8, candidates)
	for _, offset := range []*int{&t.items, &t.predictions, &t.references, &t.features, &t.versions, &t.stages, &t.types,
		&t.advertisers, &t.utilities} {
		*offset += at
	}
	b = protowire.AppendTag(b, 9, protowire.Fixed64Type)
	t.unit = len(b)
	t.value = protowire.AppendFixed64(b, 0)
	return t
}

func benchAssignment(arm int) []byte {
	b := stringField(nil, 1, "bench")
	b = stringField(b, 2, []string{"control", "treatment"}[arm%2])
	b = protowire.AppendTag(b, 3, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(benchShares[arm]))
}

// candidates lays out the columns and notes where each begins.
func (t *template) candidates(o BenchOptions) []byte {
	var b []byte
	column := func(num protowire.Number, width int, at *int) {
		b, *at = bytesField(b, num, make([]byte, width*o.Candidates))
	}
	table := func(num protowire.Number, names ...string) {
		for _, name := range names {
			b = stringField(b, num, name)
		}
	}
	column(1, 8, &t.items)
	column(2, 4, &t.predictions)
	column(3, 4, &t.references)
	column(4, 8, &t.features)
	for f := range o.Families {
		table(5, fmt.Sprintf("family_%02d", f))
	}
	column(6, 1, &t.versions)
	table(7, itemVersions...)
	column(8, 1, &t.stages)
	table(9, stages...)
	column(10, 1, &t.types)
	table(11, optimizationTypes...)
	column(12, 8, &t.advertisers)
	column(13, 4, &t.utilities)
	return b
}

// key is the auction id.
func (t *template) key() []byte { return t.value[t.id : t.id+idLength] }

// fill writes a new auction into the template and returns the item that won.
func (t *template) fill(c *columnPool, rng *rand.Rand, auction uint64, timeMs int64) uint64 {
	putHex(t.value[t.id:], auction)
	putVarint(t.value[t.time:], uint64(timeMs), t.timeWidth)
	draw := rng.Uint64()
	for i, at := range t.latencies {
		putVarint(t.value[at:], minLatency+draw>>(16*i)%latencySpan, 2)
	}
	from, other := int(draw>>32%poolSize), int(draw>>48%poolSize)
	copy(t.value[t.items:], span(c.items, from, t.n, 8))
	copy(t.value[t.predictions:], span(c.predictions, from, t.n, 4))
	copy(t.value[t.references:], span(c.references, from, t.n, 4))
	copy(t.value[t.utilities:], span(c.utilities, from, t.n, 4))
	copy(t.value[t.stages:], span(c.stages, from, t.n, 1))
	copy(t.value[t.features:], span(c.features, other, t.n, 8))
	copy(t.value[t.versions:], span(c.versions, other, t.n, 1))
	copy(t.value[t.types:], span(c.types, other, t.n, 1))
	copy(t.value[t.advertisers:], span(c.advertisers, other, t.n, 8))
	binary.LittleEndian.PutUint64(t.value[t.unit:], mix(draw%100_000, 0))
	return t.winner(rng.IntN(t.n))
}

// winner is the first candidate from entry from on that won, or that entry.
func (t *template) winner(from int) uint64 {
	pick := from
	for i := from; i < t.n; i++ {
		if t.value[t.stages+i] == won {
			pick = i
			break
		}
	}
	return binary.LittleEndian.Uint64(t.value[t.items+8*pick:])
}

func putHex(dst []byte, v uint64) {
	for i := idLength - 1; i >= 0; i-- {
		dst[i] = hexDigits[v&15]
		v >>= 4
	}
}

// putVarint writes v in exactly width bytes, padded with continuation bytes.
func putVarint(dst []byte, v uint64, width int) {
	for i := range width - 1 {
		dst[i] = byte(v) | 0x80
		v >>= 7
	}
	dst[width-1] = byte(v)
}

// outcomeEncoder encodes impressions and conversions into one buffer.
type outcomeEncoder struct{ key, id, value []byte }

func (e *outcomeEncoder) encode(timeMs int64, o outcomeToCome) Encoded {
	if e.key == nil {
		e.key = make([]byte, idLength)
		e.id = make([]byte, idLength+1)
	}
	putHex(e.key, o.auction)
	e.id[0] = 'i'
	copy(e.id[1:], e.key)
	b := e.value[:0]
	varint := func(num protowire.Number, v uint64) {
		b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
	}
	if o.stream == event.Impressions {
		b, _ = bytesField(b, 1, e.id)
		b, _ = bytesField(b, 2, e.key)
		b = protowire.AppendFixed64(protowire.AppendTag(b, 3, protowire.Fixed64Type), o.item)
		varint(4, uint64(timeMs))
		varint(5, 1)
		varint(6, 100_000+o.item%1_000_000)
	} else {
		b, _ = bytesField(b, 1, e.key)
		b, _ = bytesField(b, 2, e.id)
		b, _ = bytesField(b, 3, e.key)
		varint(4, uint64(timeMs))
		b = stringField(b, 5, "checkout")
		varint(6, 20_000_000)
		varint(8, uint64(o.impressionMs))
	}
	e.value = b
	return Encoded{o.stream, timeMs, e.key, b}
}
