package event

import "math/bits"

// The columns that have as many entries as item_ids, or none. The first two
// have as many always.
var columnNames = [...]string{
	"item_ids", "predictions", "references", "features_present", "item_embedding_version_index",
	"stage_index", "optimization_type_index", "advertiser_ids", "utilities",
}

var indexNames = [numIndexColumns]string{
	versionColumn: columnNames[4],
	stageColumn:   columnNames[5],
	optTypeColumn: columnNames[6],
}

func (d *Decoder) checkCandidates() Reason {
	c := &d.prediction.Candidates
	if n := len(c.ItemIDs); n > MaxCandidates || len(c.Predictions) != n ||
		notAll(len(c.References), n) || notAll(len(c.FeaturesPresent), n) || notAll(len(c.ItemVersionIdx), n) ||
		notAll(len(c.StageIdx), n) || notAll(len(c.OptTypeIdx), n) || notAll(len(c.AdvertiserIDs), n) ||
		notAll(len(c.Utilities), n) {
		return d.badLengths(c)
	}
	if k := firstOutsideOpen(c.Predictions); k >= 0 {
		return d.fail(ReasonPrediction, "prediction of candidate %[2]d is outside (0,1)", "", k, 0)
	}
	if k := firstBadReference(c.References); k >= 0 {
		return d.fail(ReasonReference, "reference of candidate %[2]d is outside [0,1)", "", k, 0)
	}
	if r := d.checkFamilies(c); r != ReasonNone {
		return r
	}
	if r := d.checkIndexes(c); r != ReasonNone {
		return r
	}
	if k := firstNotFinite(c.Utilities); k >= 0 {
		return d.fail(ReasonMalformed, "utility of candidate %[2]d is not finite", "", k, 0)
	}
	if len(c.Shadow) == 0 {
		return ReasonNone
	}
	return d.checkShadow(c)
}

func notAll(have, n int) bool { return have != n && have != 0 }

// badLengths finds out which column has the wrong length.
func (d *Decoder) badLengths(c *Candidates) Reason {
	lengths := [len(columnNames)]int{
		len(c.ItemIDs), len(c.Predictions), len(c.References), len(c.FeaturesPresent), len(c.ItemVersionIdx),
		len(c.StageIdx), len(c.OptTypeIdx), len(c.AdvertiserIDs), len(c.Utilities),
	}
	for k, n := range lengths {
		if n > MaxCandidates {
			return d.fail(ReasonTooLarge, "column %[1]s has %[2]d entries, %[3]d are allowed", columnNames[k], n, MaxCandidates)
		}
	}
	for k, n := range lengths {
		if n != lengths[0] && (n != 0 || k == 1) {
			return d.fail(ReasonColumns, "column %[1]s has %[2]d entries, item_ids %[3]d", columnNames[k], n, lengths[0])
		}
	}
	panic("BUG: columns were refused by one test of their lengths and accepted by the other")
}

func (d *Decoder) checkFamilies(c *Candidates) Reason {
	n := len(c.FeatureFamilies)
	if n > MaxFamilies {
		return d.fail(ReasonFamilies, "%[2]d feature families, 64 are allowed", "", n, 0)
	}
	var or0, or1 uint64
	and0, and1 := ^uint64(0), ^uint64(0)
	masks := c.FeaturesPresent
	for ; len(masks) >= 2; masks = masks[2:] {
		or0 |= masks[0]
		or1 |= masks[1]
		and0 &= masks[0]
		and1 &= masks[1]
	}
	for _, m := range masks {
		or0 |= m
		and0 &= m
	}
	c.FeaturesAny, c.FeaturesAll = or0|or1, and0&and1
	// A shift by 64 gives 0: all bits are allowed.
	if beyond := c.FeaturesAny &^ (1<<n - 1); beyond != 0 {
		return d.fail(ReasonFamilies, "features_present has bit %[2]d set, there are %[3]d families", "", 63-bits.LeadingZeros64(beyond), n)
	}
	return ReasonNone
}

func (d *Decoder) checkIndexes(c *Candidates) Reason {
	if len(c.ItemVersionIdx) != 0 && uint64(d.maxIdx[versionColumn]) >= uint64(len(c.ItemVersions)) {
		return d.badIndex(versionColumn, len(c.ItemVersions))
	}
	if len(c.StageIdx) != 0 && uint64(d.maxIdx[stageColumn]) >= uint64(len(c.Stages)) {
		return d.badIndex(stageColumn, len(c.Stages))
	}
	if len(c.OptTypeIdx) != 0 && uint64(d.maxIdx[optTypeColumn]) >= uint64(len(c.OptTypes)) {
		return d.badIndex(optTypeColumn, len(c.OptTypes))
	}
	return ReasonNone
}

func (d *Decoder) badIndex(which, table int) Reason {
	return d.fail(ReasonIndex, "column %[1]s points outside its table of %[2]d entries", indexNames[which], table, 0)
}

func (d *Decoder) checkShadow(c *Candidates) Reason {
	n := len(c.ItemIDs)
	d.names = d.names[:0]
	for k := range c.Shadow {
		s := &c.Shadow[k]
		if len(s.Predictions) != n {
			return d.fail(ReasonColumns, "shadow_scores %[2]d has %[3]d predictions, not one for each of item_ids", "", k, len(s.Predictions))
		}
		if len(s.Variant) == 0 {
			return d.fail(ReasonShadow, "variant of shadow_scores %[2]d is empty", "", k, 0)
		}
		if i := firstOutsideOpen(s.Predictions); i >= 0 {
			return d.fail(ReasonShadow, "shadow_scores %[2]d: prediction of candidate %[3]d is outside (0,1)", "", k, i)
		}
		d.names = append(d.names, s.Variant)
	}
	if d.repeated() {
		return d.fail(ReasonShadow, "two of %[2]d shadow_scores name the same variant", "", len(c.Shadow), 0)
	}
	return ReasonNone
}
