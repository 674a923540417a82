package aggregator

import (
	"strconv"
	"strings"
)

// farDistance is the first distance that is no longer told apart: what matters
// is how much lies far off, and distances are label values.
const farDistance = 10

// distances is the share of scored pairs by how many versions lie between query
// and item embedding: "0", "1", … and "10+". Only pairs whose versions have an
// order count, on both sides of the ratio. Versions are names, and the one order
// that names carry is a trailing number: v7 and v5 are 2 apart, while v7 and
// w5, or two hashes, are nothing apart.
func (c *CandidateSums) distances() map[string]Number {
	var ordered Tally
	byDistance := map[string]*Tally{}
	for i := range c.Versions {
		v := &c.Versions[i]
		d, ok := versionDistance(v.Query, v.Item)
		if !ok {
			continue
		}
		name := strconv.FormatUint(d, 10)
		if d >= farDistance {
			name = strconv.Itoa(farDistance) + "+"
		}
		if byDistance[name] == nil {
			byDistance[name] = &Tally{}
		}
		byDistance[name].add(v.Tally)
		ordered.add(v.Tally)
	}
	out := map[string]Number{}
	for name, t := range byDistance {
		out[name] = ratio(t.Weight(), ordered.Weight())
	}
	return out
}

// versionDistance is the absolute difference of the trailing numbers of two
// versions that are equal before them.
func versionDistance(a, b string) (uint64, bool) {
	prefixA, x, okA := cutNumber(a)
	prefixB, y, okB := cutNumber(b)
	if !okA || !okB || prefixA != prefixB {
		return 0, false
	}
	return max(x, y) - min(x, y), true
}

// cutNumber splits a version before its trailing digits. It is false where there
// are none, or more than fit a number.
func cutNumber(version string) (prefix string, n uint64, ok bool) {
	prefix = strings.TrimRight(version, "0123456789")
	n, err := strconv.ParseUint(version[len(prefix):], 10, 64)
	return prefix, n, err == nil
}
