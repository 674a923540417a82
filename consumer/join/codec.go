package join

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ErrRow is what every error of ParseRow wraps: the bytes are not what
// AppendRow wrote.
var ErrRow = errors.New("not a stored row")

// The first byte of a stored row: its State in the lower half, and above it
const (
	mismatchShift  = 4
	mismatchMask   = 3
	hasConversions = 1 << 7
)

// Three bytes say next which fields follow, in this order; what is absent is 0.
// A word of 64 bits has two bits: one for a varint, the other for eight bytes
// where these are fewer.
const (
	hasAuction    = 1 << iota
	itemVarint    // the wide bit is the next one
	_             // item
	unitVarint    // user and other ids are hashes as often as not
	_             // unit
	featureVarint // masks of few families are short
	_             // features
	hasRoute
	hasFamilies
	hasPrediction
	hasReference
	hasWeight
	weightIsOne
	hasTime
	hasCost
	hasValue
	hasOptTypeTable
	hasOptType
	hasPropensity
	fieldBits = iota
)

// A conversion begins with its state and which of these follow its id.
const (
	conversionStates   = Seen | Retracted | Counted | Orphaned
	hasConversionTime  = 1 << 4
	hasConversionValue = 1 << 5
	hasRetractionTime  = 1 << 6
	hasConversionType  = 1 << 7
)

const (
	rowStates     = HasImpression | HasWinner | Unmatched | Positive | Sought
	idBytes       = 16
	rowHeadBytes  = 4
	minConversion = 1 + idBytes
)

// AppendRow appends row to b, without its ID: 45 to 60 bytes for a winner. It
// never fails; a State or a Mismatch that is not declared here is a bug.
func AppendRow(b []byte, row *Row) []byte {
	if row.State&^rowStates != 0 || row.Mismatch >= NumMismatches {
		panic(fmt.Sprintf("BUG: join: store row: state %#x, mismatch %d", row.State, row.Mismatch))
	}
	first := byte(row.State) | byte(row.Mismatch)<<mismatchShift
	if len(row.Conversions) > 0 {
		first |= hasConversions
	}
	w := &row.Winner
	head := len(b)
	b = append(b, first, 0, 0, 0)
	var has uint32
	if row.Auction != (ID{}) {
		has |= hasAuction
		b = appendID(b, row.Auction)
	}
	b, has = appendWord(b, has, row.Item, itemVarint)
	b, has = appendWord(b, has, w.UnitID, unitVarint)
	b, has = appendWord(b, has, w.Features, featureVarint)
	b, has = appendSigned(b, has, int64(w.Route), hasRoute)
	b, has = appendSigned(b, has, int64(w.Families), hasFamilies)
	b, has = appendFloat(b, has, w.Prediction, hasPrediction)
	b, has = appendFloat(b, has, w.Reference, hasReference)
	if w.Weight == 1 {
		has |= weightIsOne
	} else {
		b, has = appendFloat(b, has, w.Weight, hasWeight)
	}
	b, has = appendSigned(b, has, w.TimeMs, hasTime)
	b, has = appendSigned(b, has, w.CostMicros, hasCost)
	b, has = appendSigned(b, has, row.Value, hasValue)
	b, has = appendSigned(b, has, int64(w.OptTypes), hasOptTypeTable)
	b, has = appendSigned(b, has, int64(w.OptType), hasOptType)
	b, has = appendFloat(b, has, w.Propensity, hasPropensity)
	b[head+1], b[head+2], b[head+3] = byte(has), byte(has>>8), byte(has>>16)
	if first&hasConversions != 0 {
		b = binary.AppendUvarint(b, uint64(len(row.Conversions)))
		for i := range row.Conversions {
			b = appendConversion(b, &row.Conversions[i], w.TimeMs)
		}
	}
	return b
}

// appendConversion tells times from the impression's, which is closer than 1970.
func appendConversion(b []byte, c *Conversion, ms int64) []byte {
	if c.State&^conversionStates != 0 {
		panic(fmt.Sprintf("BUG: join: store conversion: state %#x", c.State))
	}
	head := len(b)
	b = append(b, byte(c.State))
	b = appendID(b, c.ID)
	if d := c.TimeMs - ms; d != 0 {
		b[head] |= hasConversionTime
		b = binary.AppendVarint(b, d)
	}
	if c.Value != 0 {
		b[head] |= hasConversionValue
		b = binary.AppendVarint(b, c.Value)
	}
	if c.RetractedMs != 0 {
		b[head] |= hasRetractionTime
		b = binary.AppendVarint(b, c.RetractedMs-ms)
	}
	if c.Type != 0 {
		b[head] |= hasConversionType
		b = binary.AppendVarint(b, int64(c.Type))
	}
	return b
}

func appendID(b []byte, id ID) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.Hi)
	return binary.LittleEndian.AppendUint64(b, id.Lo)
}

// wordVarint is the largest word whose varint is no longer than eight bytes.
const wordVarint = 1<<56 - 1

func appendWord(b []byte, has uint32, v uint64, bit uint32) ([]byte, uint32) {
	switch {
	case v == 0:
		return b, has
	case v <= wordVarint:
		return binary.AppendUvarint(b, v), has | bit
	default:
		return binary.LittleEndian.AppendUint64(b, v), has | bit<<1
	}
}

func appendSigned(b []byte, has uint32, v int64, bit uint32) ([]byte, uint32) {
	if v == 0 {
		return b, has
	}
	return binary.AppendVarint(b, v), has | bit
}

// appendFloat keeps the bits: -0 is not 0, and one NaN not another.
func appendFloat(b []byte, has uint32, v float32, bit uint32) ([]byte, uint32) {
	u := math.Float32bits(v)
	if u == 0 {
		return b, has
	}
	return binary.LittleEndian.AppendUint32(b, u), has | bit
}

// Waiting reports whether a stored row waits for something: an impression for
// its winner, conversions for their impression. It reads the first byte alone;
// a row without bytes is none.
func Waiting(b []byte) bool {
	return len(b) > 0 && State(b[0])&(HasImpression|HasWinner) != HasImpression|HasWinner
}

// Waits is Waiting of a Row.
func (r *Row) Waits() bool { return r.State&(HasImpression|HasWinner) != HasImpression|HasWinner }

// ParseRow reads what AppendRow wrote into row, reusing its Conversions and
// leaving its ID alone. It takes no other bytes than those: each row has one
// form. After an error, which wraps ErrRow, row is not to be used.
func ParseRow(b []byte, row *Row) error {
	if len(b) < rowHeadBytes {
		return fmt.Errorf("row: have %d bytes, want at least %d: %w", len(b), rowHeadBytes, ErrRow)
	}
	first, has := b[0], uint32(b[1])|uint32(b[2])<<8|uint32(b[3])<<16
	p := parser{b: b[rowHeadBytes:]}
	id := row.ID
	conversions := row.Conversions[:0]
	*row = Row{Facts: Facts{ID: id, State: State(first) & rowStates, Mismatch: Mismatch(first >> mismatchShift & mismatchMask)}}
	w := &row.Winner
	if has&hasAuction != 0 {
		row.Auction = p.id()
	}
	row.Item = p.word(has, itemVarint)
	w.UnitID = p.word(has, unitVarint)
	w.Features = p.word(has, featureVarint)
	w.Route = p.small(has, hasRoute)
	w.Families = p.small(has, hasFamilies)
	w.Prediction = p.float(has, hasPrediction)
	w.Reference = p.float(has, hasReference)
	if has&weightIsOne != 0 {
		w.Weight = 1
		p.check(has&hasWeight == 0)
	} else {
		w.Weight = p.float(has, hasWeight)
		p.check(w.Weight != 1)
	}
	w.TimeMs = p.signed(has&hasTime != 0)
	w.CostMicros = p.signed(has&hasCost != 0)
	row.Value = p.signed(has&hasValue != 0)
	w.OptTypes = p.small(has, hasOptTypeTable)
	optType := p.small(has, hasOptType)
	w.OptType = uint8(optType)
	p.check(int32(w.OptType) == optType && has>>fieldBits == 0)
	w.Propensity = p.float(has, hasPropensity)
	if first&hasConversions != 0 {
		n := p.uvarint()
		// No more room than there can be conversions, whatever the number says.
		p.check(n > 0 && n <= uint64(len(p.b)/minConversion))
		for i := uint64(0); i < n && !p.bad; i++ {
			conversions = append(conversions, p.conversion(w.TimeMs))
		}
	}
	row.Conversions = conversions
	if p.bad || len(p.b) > 0 || row.Mismatch >= NumMismatches {
		return fmt.Errorf("row: %d bytes, wrong at %d from the end: %w", len(b), len(p.b), ErrRow)
	}
	return nil
}

// parser takes values off the front of b until one is not as it should be.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) check(ok bool) {
	if !ok {
		p.bad = true
	}
}

// take returns the next n bytes, or as many zeros.
func (p *parser) take(n int) []byte {
	if p.bad || len(p.b) < n {
		p.bad = true
		return zeros[:n]
	}
	taken := p.b[:n]
	p.b = p.b[n:]
	return taken
}

var zeros [idBytes]byte

// id reads an id, which is absent where it is zero.
func (p *parser) id() ID {
	id := p.anyID()
	p.check(id != ID{})
	return id
}

func (p *parser) anyID() ID {
	b := p.take(idBytes)
	return ID{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

// uvarint reads a number in its shortest form.
func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if p.bad || n <= 0 || n != (bits.Len64(v|1)+6)/7 {
		p.bad = true
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) word(has, bit uint32) uint64 {
	switch has & (bit | bit<<1) {
	case 0:
		return 0
	case bit:
		v := p.uvarint()
		p.check(v != 0 && v <= wordVarint)
		return v
	case bit << 1:
		v := binary.LittleEndian.Uint64(p.take(8))
		p.check(v > wordVarint)
		return v
	}
	p.bad = true
	return 0
}

func (p *parser) signed(has bool) int64 {
	if !has {
		return 0
	}
	u := p.uvarint()
	p.check(u != 0)
	return int64(u>>1) ^ -int64(u&1)
}

func (p *parser) small(has, bit uint32) int32 {
	v := p.signed(has&bit != 0)
	p.check(v == int64(int32(v)))
	return int32(v)
}

func (p *parser) float(has, bit uint32) float32 {
	if has&bit == 0 {
		return 0
	}
	u := binary.LittleEndian.Uint32(p.take(4))
	p.check(u != 0)
	return math.Float32frombits(u)
}

func (p *parser) conversion(ms int64) Conversion {
	head := p.take(1)[0]
	c := Conversion{State: ConversionState(head) & conversionStates, ID: p.anyID()}
	c.TimeMs = ms + p.signed(head&hasConversionTime != 0)
	c.Value = p.signed(head&hasConversionValue != 0)
	if head&hasRetractionTime != 0 {
		u := p.uvarint()
		c.RetractedMs = ms + (int64(u>>1) ^ -int64(u&1))
		p.check(c.RetractedMs != 0)
	}
	c.Type = p.small(uint32(head), hasConversionType)
	return c
}
