package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is an amount of memory in bytes.
type Size int64

// sizeUnits are the units that a size can be given in, the largest first.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6},
	{"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1}, {"", 1},
}

// ParseSize reads a whole or decimal number with a unit out of B, kB, MB, GB,
// TB, KiB, MiB, GiB and TiB; without one it is bytes. Negative sizes and sizes
// of 2^63 bytes and more are refused.
func ParseSize(s string) (Size, error) {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		digits = strings.TrimSpace(digits)
		if digits == "" || strings.Trim(digits, "0123456789.") != "" {
			break
		}
		v, err := strconv.ParseFloat(digits, 64)
		if v *= float64(unit.bytes); err != nil || v >= math.MaxInt64 {
			break
		}
		return Size(math.Round(v)), nil
	}
	return 0, fmt.Errorf("%q is not a size; want a number with a unit, such as 512MiB or 2GB", s)
}

// String gives the size in the first unit of sizeUnits that divides it.
func (s Size) String() string {
	for _, unit := range sizeUnits {
		if s != 0 && int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.suffix
		}
	}
	return "0B"
}

// formatDuration is d as people write it: 10m, not 10m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parseDuration adds to time.ParseDuration a message that says what is allowed.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; want a number with a unit (ms, s, m, h), such as 10s or 24h", s)
	}
	return d, nil
}
