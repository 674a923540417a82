package page

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
)

// unknown stands where a number is not known yet.
const unknown = "waiting"

// count groups digits by threes: 1,234,567.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// number shows about four significant digits.
func number(v float64) string {
	abs := math.Abs(v)
	var s string
	switch {
	case abs == 0:
		s = "0"
	case abs < 1e-4 || abs >= 1e7:
		s = strconv.FormatFloat(v, 'e', 2, 64)
	case abs < 1:
		s = strconv.FormatFloat(v, 'f', 3-int(math.Floor(math.Log10(abs))), 64)
	case abs < 1000:
		s = strconv.FormatFloat(v, 'f', 3, 64)
	default:
		s = strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strings.Replace(s, "-", "−", 1)
}

// ratio shows a value around 1 with three decimals.
func ratio(v float64) string {
	if v >= 0.01 && v < 1000 {
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return number(v)
}

// percent shows a share with one decimal, and never rounds to all or nothing
// what is not.
func percent(share float64) string {
	switch {
	case share > 0 && share < 0.0005:
		return "<0.1 %"
	case share < 1 && share > 0.9995:
		return ">99.9 %"
	}
	return strconv.FormatFloat(share*100, 'f', 1, 64) + " %"
}

// ramp shows a ramp step: 35 %, 0.5 %.
func ramp(percent float64) string { return strconv.FormatFloat(percent, 'f', -1, 64) + " %" }

func milliseconds(us float64) string { return strconv.FormatFloat(us/1e3, 'f', 1, 64) + " ms" }

func micros(v float64) string { return strconv.FormatFloat(v/1e6, 'f', 2, 64) }

// stamp is an event time, for people and for programs.
type stamp struct{ Text, ISO string }

func makeStamp(ms int64) stamp {
	if ms <= 0 {
		return stamp{}
	}
	t := time.UnixMilli(ms).UTC()
	return stamp{t.Format("2006-01-02 15:04:05") + " UTC", t.Format(time.RFC3339Nano)}
}

// experimentPath is where an experiment's page is; any name fits one segment.
func experimentPath(name string) string { return "/experiments/" + url.PathEscape(name) }

// labelText writes the labels of a slice: surface: home, country: DE.
func labelText(labels []aggregator.Label) string {
	parts := make([]string, len(labels))
	for i, l := range labels {
		parts[i] = l.Name + ": " + l.Value
	}
	return strings.Join(parts, ", ")
}
