package rehearse

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Of a series: how many panes it may expand to, and its largest value, which keeps
// counts of a whole story within 64 bits.
const (
	maxPanes = 100_000
	maxValue = 1e12
)

// Series is a number for each pane. The zero value is one that was not given.
type Series struct {
	values []value
}

type value struct {
	v     float64
	known bool
}

// Constant is v in every pane.
func Constant(v float64) Series { return Series{[]value{{v, true}}} }

// number is one that a series may hold, without its sign.
const number = `(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?`

var (
	valueForm = regexp.MustCompile(`^(` + number + `)(?:x(\d+))?$`)
	slopeForm = regexp.MustCompile(`^(` + number + `)([+-]` + number + `)x(\d+)$`)
	gapForm   = regexp.MustCompile(`^_(?:x(\d+))?$`)
)

// ParseSeries reads values that are separated by blanks, one a pane: a number;
// axn, which is a in n panes; a+bxn or a-bxn, which is a, a+b, a+2b and so on in n
// panes; _ and _xn, no data in one or n panes. The last one holds from then on.
// Values are 0 to 1e12, and there are at most 100,000.
func ParseSeries(text string) (Series, error) {
	var s Series
	for _, token := range strings.Fields(text) {
		from, step, known, count := 0.0, 0.0, true, ""
		var err error
		if m := slopeForm.FindStringSubmatch(token); m != nil {
			if from, err = strconv.ParseFloat(m[1], 64); err == nil {
				step, err = strconv.ParseFloat(m[2], 64)
			}
			count = m[3]
		} else if m := valueForm.FindStringSubmatch(token); m != nil {
			from, err = strconv.ParseFloat(m[1], 64)
			count = m[2]
		} else if m := gapForm.FindStringSubmatch(token); m != nil {
			known, count = false, m[1]
		} else {
			return Series{}, fmt.Errorf("%q is no part of a series; want forms such as 5, 5x30, 5+0.1x30, _ or _x30", token)
		}
		if err != nil {
			return Series{}, fmt.Errorf("%q has a number that is out of range", token)
		}
		n := 1
		if count != "" {
			if n, err = strconv.Atoi(count); err != nil || n < 1 || n > maxPanes-len(s.values) {
				return Series{}, fmt.Errorf("%q has %s panes; want 1 to %d in a series", token, count, maxPanes)
			}
		}
		if last := from + step*float64(n-1); !(0 <= last && max(from, last) <= maxValue) {
			return Series{}, fmt.Errorf("%q goes from %g to %g; want 0 to %g", token, from, last, float64(maxValue))
		}
		for i := range n {
			s.values = append(s.values, value{from + step*float64(i), known})
		}
	}
	if len(s.values) == 0 {
		return Series{}, fmt.Errorf("%q is no series; want forms such as 5, 5x30, 5+0.1x30, _ or _x30", text)
	}
	return s, nil
}

// Given says whether there is a series at all.
func (s Series) Given() bool { return len(s.values) > 0 }

// Len is how many panes are written out.
func (s Series) Len() int { return len(s.values) }

// Max is the largest value, 0 where there is none.
func (s Series) Max() float64 {
	var most float64
	for _, v := range s.values {
		most = max(most, v.v)
	}
	return most
}

// at is the value of pane i.
func (s Series) at(i int) (float64, bool) {
	if len(s.values) == 0 {
		return 0, false
	}
	v := s.values[min(i, len(s.values)-1)]
	return v.v, v.known
}
