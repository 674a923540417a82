package event

import "math"

// Field tags are number<<3|wire type, so one switch finds the field and checks
// its wire type.

func (d *Decoder) scanPrediction(b []byte) Reason {
	p := &d.prediction
	for i := 0; i < len(b); {
		var tag, v uint64
		var j int
		if j = short(b, i); j > 0 {
			tag, v = uint64(b[i]), uint64(i+2)
		} else {
			tag, v, j = next(b, i)
		}
		if j < 0 {
			return d.wireError(i, j)
		}
		var r Reason
		switch tag {
		case 1<<3 | wireBytes:
			if p.AuctionID = b[v:j]; !validUTF8(p.AuctionID) {
				return d.badUTF8("auction_id")
			}
		case 2<<3 | wireVarint:
			p.EventTimeMs = int64(v)
		case 3<<3 | wireBytes:
			r = d.scanAssignment(b[v:j], int(v))
		case 4<<3 | wireBytes:
			r = d.scanDimension(b[v:j], int(v))
		case 5<<3 | wireBytes:
			if p.ModelVersion = b[v:j]; !validUTF8(p.ModelVersion) {
				return d.badUTF8("model_version")
			}
		case 6<<3 | wireBytes:
			if p.QueryEmbeddingVersion = b[v:j]; !validUTF8(p.QueryEmbeddingVersion) {
				return d.badUTF8("query_embedding_version")
			}
		case 7<<3 | wireBytes:
			r = d.scanTowerCall(b[v:j], int(v))
		case 8<<3 | wireBytes:
			r = d.scanCandidates(b[v:j], int(v))
		case 9<<3 | wireFixed64:
			p.UnitID = v
		case 10<<3 | wireFixed32:
			p.SampleWeight = math.Float32frombits(uint32(v))
		default:
			r = d.unknownField("Prediction", tag, 10, i)
		}
		if r != ReasonNone {
			return r
		}
		i = j
	}
	return ReasonNone
}

// shortString reads a string field in its usual form at b[i:], a one-byte tag
// and a one-byte length. It returns the position behind it, or -1 for whatever
// else stands there. The string is not checked: tags and lengths below 0x80 are
// ASCII too, so one look at several fields together is cheaper.
func shortString(b []byte, i int, tag byte) int {
	if len(b)-i < 2 || b[i] != tag || b[i+1] >= 0x80 {
		return -1
	}
	if j := i + 2 + int(b[i+1]); j <= len(b) {
		return j
	}
	return -1
}

func (d *Decoder) scanAssignment(b []byte, base int) Reason {
	if e := shortString(b, 0, 1<<3|wireBytes); e >= 0 {
		if a := shortString(b, e, 2<<3|wireBytes); a >= 0 && len(b) == a+9 && b[a] == 3<<3|wireFixed64 && isASCII(b[:a]) {
			d.prediction.Assignments = append(d.prediction.Assignments, Assignment{
				Experiment: b[2:e], Arm: b[e+2 : a], RampPercent: math.Float64frombits(le64(b[a+1:])),
			})
			return ReasonNone
		}
	}
	var a Assignment
	for i := 0; i < len(b); {
		tag, v, j := next(b, i)
		if j < 0 {
			return d.wireError(base+i, j)
		}
		switch tag {
		case 1<<3 | wireBytes:
			if a.Experiment = b[v:j]; !validUTF8(a.Experiment) {
				return d.badUTF8("experiment")
			}
		case 2<<3 | wireBytes:
			if a.Arm = b[v:j]; !validUTF8(a.Arm) {
				return d.badUTF8("arm")
			}
		case 3<<3 | wireFixed64:
			a.RampPercent = math.Float64frombits(v)
		default:
			if r := d.unknownField("Assignment", tag, 3, base+i); r != ReasonNone {
				return r
			}
		}
		i = j
	}
	d.prediction.Assignments = append(d.prediction.Assignments, a)
	return ReasonNone
}

// scanDimension reads one map entry. A missing key or value is empty.
func (d *Decoder) scanDimension(b []byte, base int) Reason {
	if k := shortString(b, 0, 1<<3|wireBytes); k >= 0 {
		if v := shortString(b, k, 2<<3|wireBytes); v == len(b) && isASCII(b) {
			d.prediction.Dimensions = append(d.prediction.Dimensions, Dimension{Key: b[2:k], Value: b[k+2:]})
			return ReasonNone
		}
	}
	var dim Dimension
	for i := 0; i < len(b); {
		tag, v, j := next(b, i)
		if j < 0 {
			return d.wireError(base+i, j)
		}
		switch tag {
		case 1<<3 | wireBytes:
			if dim.Key = b[v:j]; !validUTF8(dim.Key) {
				return d.badUTF8("key of dimensions")
			}
		case 2<<3 | wireBytes:
			if dim.Value = b[v:j]; !validUTF8(dim.Value) {
				return d.badUTF8("value of dimensions")
			}
		default:
			if r := d.unknownField("dimensions", tag, 2, base+i); r != ReasonNone {
				return r
			}
		}
		i = j
	}
	d.prediction.Dimensions = append(d.prediction.Dimensions, dim)
	return ReasonNone
}

func (d *Decoder) scanTowerCall(b []byte, base int) Reason {
	var t TowerCall
	i := shortString(b, 0, 1<<3|wireBytes)
	if i > 0 && isASCII(b[:i]) {
		t.Tower = b[2:i]
	} else {
		i = 0
	}
	for i < len(b) {
		tag, v, j := next(b, i)
		if j < 0 {
			return d.wireError(base+i, j)
		}
		switch tag {
		case 1<<3 | wireBytes:
			if t.Tower = b[v:j]; !validUTF8(t.Tower) {
				return d.badUTF8("tower")
			}
		case 2<<3 | wireVarint:
			t.Outcome = outcome(int32(v))
		case 3<<3 | wireVarint:
			t.LatencyUs = uint32(v)
		default:
			if r := d.unknownField("TowerCall", tag, 3, base+i); r != ReasonNone {
				return r
			}
		}
		i = j
	}
	d.prediction.TowerCalls = append(d.prediction.TowerCalls, t)
	return ReasonNone
}

// outcome keeps an unknown number as NumOutcomes for the check to refuse.
func outcome(v int32) Outcome {
	if v < 0 || v >= int32(NumOutcomes) {
		return NumOutcomes
	}
	return Outcome(v)
}
