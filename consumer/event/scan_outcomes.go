package event

import "math"

func (d *Decoder) scanImpression(b []byte) Reason {
	m := &d.impression
	for i := 0; i < len(b); {
		tag, v, j := next(b, i)
		if j < 0 {
			return d.wireError(i, j)
		}
		switch tag {
		case 1<<3 | wireBytes:
			if m.ImpressionID = b[v:j]; !validUTF8(m.ImpressionID) {
				return d.badUTF8("impression_id")
			}
		case 2<<3 | wireBytes:
			if m.AuctionID = b[v:j]; !validUTF8(m.AuctionID) {
				return d.badUTF8("auction_id")
			}
		case 3<<3 | wireFixed64:
			m.ItemID = v
		case 4<<3 | wireVarint:
			m.EventTimeMs = int64(v)
		case 5<<3 | wireVarint:
			m.Position = uint32(v)
		case 6<<3 | wireVarint:
			m.CostMicros = int64(v)
		case 7<<3 | wireFixed32:
			m.Propensity = math.Float32frombits(uint32(v))
		default:
			if r := d.unknownField("Impression", tag, 7, i); r != ReasonNone {
				return r
			}
		}
		i = j
	}
	return ReasonNone
}

func (d *Decoder) scanConversion(b []byte) Reason {
	m := &d.conversion
	for i := 0; i < len(b); {
		tag, v, j := next(b, i)
		if j < 0 {
			return d.wireError(i, j)
		}
		switch tag {
		case 1<<3 | wireBytes:
			if m.ConversionID = b[v:j]; !validUTF8(m.ConversionID) {
				return d.badUTF8("conversion_id")
			}
		case 2<<3 | wireBytes:
			if m.ImpressionID = b[v:j]; !validUTF8(m.ImpressionID) {
				return d.badUTF8("impression_id")
			}
		case 3<<3 | wireBytes:
			if m.AuctionID = b[v:j]; !validUTF8(m.AuctionID) {
				return d.badUTF8("auction_id")
			}
		case 4<<3 | wireVarint:
			m.EventTimeMs = int64(v)
		case 5<<3 | wireBytes:
			if m.ConversionType = b[v:j]; !validUTF8(m.ConversionType) {
				return d.badUTF8("conversion_type")
			}
		case 6<<3 | wireVarint:
			m.ValueMicros = int64(v)
		case 7<<3 | wireVarint:
			m.Retracted = v != 0
		case 8<<3 | wireVarint:
			m.ImpressionTimeMs = int64(v)
		default:
			if r := d.unknownField("Conversion", tag, 8, i); r != ReasonNone {
				return r
			}
		}
		i = j
	}
	return ReasonNone
}
