package event

import "math"

// The index columns, in the order of the contract.
const (
	versionColumn = iota
	stageColumn
	optTypeColumn
	numIndexColumns
)

// scanCandidates appends to the columns: a message field that occurs twice is
// the concatenation of its occurrences.
func (d *Decoder) scanCandidates(b []byte, base int) Reason {
	c := &d.prediction.Candidates
	for i := 0; i < len(b); {
		var tag, v uint64
		var j int
		if j = short(b, i); j > 0 {
			tag, v = uint64(b[i]), uint64(i+2)
		} else {
			tag, v, j = next(b, i)
		}
		if j < 0 {
			return d.wireError(base+i, j)
		}
		var r Reason
		switch tag {
		case 1<<3 | wireBytes:
			r = d.fixed64s(&c.ItemIDs, b[v:j], "item_ids")
		case 1<<3 | wireFixed64:
			c.ItemIDs = append(c.ItemIDs, v)
		case 2<<3 | wireBytes:
			r = d.floats(&c.Predictions, b[v:j], "predictions")
		case 2<<3 | wireFixed32:
			c.Predictions = append(c.Predictions, math.Float32frombits(uint32(v)))
		case 3<<3 | wireBytes:
			r = d.floats(&c.References, b[v:j], "references")
		case 3<<3 | wireFixed32:
			c.References = append(c.References, math.Float32frombits(uint32(v)))
		case 4<<3 | wireBytes:
			r = d.fixed64s(&c.FeaturesPresent, b[v:j], "features_present")
		case 4<<3 | wireFixed64:
			c.FeaturesPresent = append(c.FeaturesPresent, v)
		case 5<<3 | wireBytes:
			j, r = d.scanTable(&c.FeatureFamilies, b, i, v, j, FamilyTable)
		case 6<<3 | wireBytes:
			r = d.indexes(&c.ItemVersionIdx, b[v:j], versionColumn)
		case 6<<3 | wireVarint:
			d.index(&c.ItemVersionIdx, uint32(v), versionColumn)
		case 7<<3 | wireBytes:
			j, r = d.scanTable(&c.ItemVersions, b, i, v, j, VersionTable)
		case 8<<3 | wireBytes:
			r = d.indexes(&c.StageIdx, b[v:j], stageColumn)
		case 8<<3 | wireVarint:
			d.index(&c.StageIdx, uint32(v), stageColumn)
		case 9<<3 | wireBytes:
			j, r = d.scanTable(&c.Stages, b, i, v, j, StageTable)
		case 10<<3 | wireBytes:
			r = d.indexes(&c.OptTypeIdx, b[v:j], optTypeColumn)
		case 10<<3 | wireVarint:
			d.index(&c.OptTypeIdx, uint32(v), optTypeColumn)
		case 11<<3 | wireBytes:
			j, r = d.scanTable(&c.OptTypes, b, i, v, j, OptTypeTable)
		case 12<<3 | wireBytes:
			r = d.fixed64s(&c.AdvertiserIDs, b[v:j], "advertiser_ids")
		case 12<<3 | wireFixed64:
			c.AdvertiserIDs = append(c.AdvertiserIDs, v)
		case 13<<3 | wireBytes:
			r = d.floats(&c.Utilities, b[v:j], "utilities")
		case 13<<3 | wireFixed32:
			c.Utilities = append(c.Utilities, math.Float32frombits(uint32(v)))
		case 14<<3 | wireBytes:
			r = d.scanShadow(b[v:j], base+int(v))
		default:
			r = d.unknownField("Candidates", tag, 14, base+i)
		}
		if r != ReasonNone {
			return r
		}
		i = j
	}
	return ReasonNone
}

func (d *Decoder) scanShadow(b []byte, base int) Reason {
	var s ShadowScores
	from := len(d.shadow)
	for i := 0; i < len(b); {
		tag, v, j := next(b, i)
		if j < 0 {
			return d.wireError(base+i, j)
		}
		var r Reason
		switch tag {
		case 1<<3 | wireBytes:
			if s.Variant = b[v:j]; !validUTF8(s.Variant) {
				return d.badUTF8("variant")
			}
		case 2<<3 | wireBytes:
			r = d.floats(&d.shadow, b[v:j], "predictions of shadow_scores")
		case 2<<3 | wireFixed32:
			d.shadow = append(d.shadow, math.Float32frombits(uint32(v)))
		default:
			r = d.unknownField("ShadowScores", tag, 2, base+i)
		}
		if r != ReasonNone {
			return r
		}
		i = j
	}
	// Growing d.shadow later moves it, but this view keeps the old array.
	s.Predictions = d.shadow[from:len(d.shadow):len(d.shadow)]
	c := &d.prediction.Candidates
	c.Shadow = append(c.Shadow, s)
	return ReasonNone
}

func (d *Decoder) fixed64s(col *[]uint64, b []byte, name string) Reason {
	if len(b)%8 != 0 {
		return d.fail(ReasonMalformed, "packed column %[1]s has %[2]d bytes, not a multiple of 8", name, len(b), 0)
	}
	*col = appendFixed64(*col, b)
	return ReasonNone
}

func (d *Decoder) floats(col *[]float32, b []byte, name string) Reason {
	if len(b)%4 != 0 {
		return d.fail(ReasonMalformed, "packed column %[1]s has %[2]d bytes, not a multiple of 4", name, len(b), 0)
	}
	*col = appendFloat(*col, b)
	return ReasonNone
}

func (d *Decoder) indexes(col *[]uint32, b []byte, which int) Reason {
	var code int
	if *col, d.maxIdx[which], code = appendIndexes(*col, b, d.maxIdx[which]); code < 0 {
		return d.fail(ReasonMalformed, "broken varint in packed column %[1]s of %[2]d bytes", indexNames[which], len(b), 0)
	}
	return ReasonNone
}

func (d *Decoder) index(col *[]uint32, v uint32, which int) {
	*col = append(*col, v)
	d.maxIdx[which] = max(d.maxIdx[which], v)
}
