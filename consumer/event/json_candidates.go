package event

import "bytes"

func candidatesField(name []byte) int {
	switch string(name) {
	case "itemIds", "item_ids":
		return 1
	case "predictions":
		return 2
	case "references":
		return 3
	case "featuresPresent", "features_present":
		return 4
	case "featureFamilies", "feature_families":
		return 5
	case "itemEmbeddingVersionIndex", "item_embedding_version_index":
		return 6
	case "itemEmbeddingVersions", "item_embedding_versions":
		return 7
	case "stageIndex", "stage_index":
		return 8
	case "stages":
		return 9
	case "optimizationTypeIndex", "optimization_type_index":
		return 10
	case "optimizationTypes", "optimization_types":
		return 11
	case "advertiserIds", "advertiser_ids":
		return 12
	case "utilities":
		return 13
	case "shadowScores", "shadow_scores":
		return 14
	}
	return 0
}

func (d *Decoder) parseCandidates(b []byte, i int) int {
	c := &d.prediction.Candidates
	m := message{name: "Candidates", number: candidatesField}
	num := 0
	for i >= 0 {
		if num, i = d.nextField(&m, b, i); num == 0 {
			break
		}
		switch num {
		case 1:
			i = d.parseUint64s(&c.ItemIDs, b, i, "item_ids")
		case 2:
			i = d.parseFloats(&c.Predictions, b, i, "predictions")
		case 3:
			i = d.parseFloats(&c.References, b, i, "references")
		case 4:
			i = d.parseUint64s(&c.FeaturesPresent, b, i, "features_present")
		case 5:
			i = d.parseTable(&c.FeatureFamilies, b, i, FamilyTable)
		case 6:
			i = d.parseIndexes(&c.ItemVersionIdx, b, i, versionColumn)
		case 7:
			i = d.parseTable(&c.ItemVersions, b, i, VersionTable)
		case 8:
			i = d.parseIndexes(&c.StageIdx, b, i, stageColumn)
		case 9:
			i = d.parseTable(&c.Stages, b, i, StageTable)
		case 10:
			i = d.parseIndexes(&c.OptTypeIdx, b, i, optTypeColumn)
		case 11:
			i = d.parseTable(&c.OptTypes, b, i, OptTypeTable)
		case 12:
			i = d.parseUint64s(&c.AdvertiserIDs, b, i, "advertiser_ids")
		case 13:
			i = d.parseFloats(&c.Utilities, b, i, "utilities")
		case 14:
			i = d.parseShadows(b, i)
		}
	}
	return i
}

func shadowField(name []byte) int {
	switch string(name) {
	case "variant":
		return 1
	case "predictions":
		return 2
	}
	return 0
}

func (d *Decoder) parseShadows(b []byte, i int) int {
	more := false
	for {
		if i, more = d.nextElement(b, i, more, "shadow_scores"); !more {
			return i
		}
		var s ShadowScores
		from := len(d.shadow)
		m := message{name: "ShadowScores", number: shadowField}
		for num := 0; i >= 0; {
			if num, i = d.nextField(&m, b, i); num == 0 {
				break
			}
			switch num {
			case 1:
				s.Variant, i = d.parseString(b, i, "variant")
			case 2:
				i = d.parseFloats(&d.shadow, b, i, "predictions of shadow_scores")
			}
		}
		if i < 0 {
			return i
		}
		s.Predictions = d.shadow[from:len(d.shadow):len(d.shadow)]
		c := &d.prediction.Candidates
		c.Shadow = append(c.Shadow, s)
	}
}

func (d *Decoder) parseUint64s(col *[]uint64, b []byte, i int, what string) int {
	dst, more, v := *col, false, uint64(0)
	for i >= 0 {
		if more && len(b)-i > 1 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more = d.nextElement(b, i, more, what); !more {
			break
		}
		v, i = d.parseUint64(b, i, what)
		dst = append(dst, v)
	}
	*col = dst
	return i
}

func (d *Decoder) parseFloats(col *[]float32, b []byte, i int, what string) int {
	dst, more, v := *col, false, float32(0)
	for i >= 0 {
		if more && len(b)-i > 1 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more = d.nextElement(b, i, more, what); !more {
			break
		}
		v, i = d.parseFloat32(b, i, what)
		dst = append(dst, v)
	}
	*col = dst
	return i
}

func (d *Decoder) parseIndexes(col *[]uint32, b []byte, i, which int) int {
	dst, more, v := *col, false, uint32(0)
	for i >= 0 {
		if more && len(b)-i > 1 && b[i] == ',' && b[i+1] > ' ' {
			i++
		} else if i, more = d.nextElement(b, i, more, indexNames[which]); !more {
			break
		}
		if len(b)-i > 1 && b[i]-'0' <= 9 && b[i+1] == ',' {
			v, i = uint32(b[i]-'0'), i+1
		} else {
			v, i = d.parseUint32(b, i, indexNames[which])
		}
		d.maxIdx[which] = max(d.maxIdx[which], v)
		dst = append(dst, v)
	}
	*col = dst
	return i
}

// parseTable reads an array of strings, or recognises the text of the array in
// the record before.
func (d *Decoder) parseTable(table *[][]byte, b []byte, i, which int) int {
	c := &d.tables[which]
	// The first byte of a protobuf run is never a bracket, so one cache serves
	// both formats.
	if len(c.raw) != 0 && bytes.HasPrefix(b[i:], c.raw) {
		*table = c.view()
		return i + len(c.raw)
	}
	c.raw, c.entries = c.raw[:0], c.entries[:0]
	from, text, more := i, len(d.text), false
	var s []byte
	for i >= 0 {
		if i, more = d.nextElement(b, i, more, tableNames[which]); !more {
			break
		}
		s, i = d.parseString(b, i, tableNames[which])
		c.entries = append(c.entries, s)
	}
	if i < 0 {
		return i
	}
	// Entries with escapes lie in d.text, which the next record overwrites.
	if len(d.text) == text && i-from <= maxCachedTable {
		c.own(b[from:i])
	}
	*table = c.view()
	return i
}
