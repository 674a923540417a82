package event

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestFloatsRoundOnce compares with strconv on short decimals, on decimals
// right at and beside the middle of two float32, and on the edges of the range.
func TestFloatsRoundOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	texts := []string{
		"0", "-0", "0.0", "0e99999", "1", "1e22", "1e23", "9007199254740993", "3.4028235e38", "3.4028235677973366e38", "3.5e38",
		"1.1754943508222875e-38", "1e-45", "7e-46", "1e-400", "0.1", "16777217", "16777219", "16777217.0000001", "1e-10000000000",
	}
	for range 20_000 {
		f := math.Float32frombits(r.Uint32())
		if f != f || math.IsInf(float64(f), 0) {
			continue
		}
		up := math.Nextafter32(f, math.MaxFloat32)
		middle := (float64(f) + float64(up)) / 2
		for _, m := range []float64{middle, math.Nextafter(middle, math.Inf(1)), math.Nextafter(middle, math.Inf(-1)), float64(f)} {
			texts = append(texts, strconv.FormatFloat(m, 'g', -1, 64))
		}
		if r.IntN(10) == 0 {
			texts = append(texts, new(big.Float).SetFloat64(middle).Text('f', 160)+"1")
		}
		texts = append(texts, strconv.FormatFloat(r.Float64(), 'f', r.IntN(20), 64), strconv.FormatUint(r.Uint64(), 10)+"e-"+strconv.Itoa(r.IntN(30)))
	}
	d := NewDecoder(Options{})
	for _, s := range texts {
		for _, b := range []string{s, `"` + s + `"`} {
			want, err := strconv.ParseFloat(s, 32)
			got, j := d.parseFloat32([]byte(b), 0, "test")
			if (err == nil) != (j == len(b)) || err == nil && math.Float32bits(got) != math.Float32bits(float32(want)) {
				t.Fatalf("parseFloat32(%s) = %v, position %d, want %v, %v", b, got, j, float32(want), err)
			}
			want, err = strconv.ParseFloat(s, 64)
			got64, j := d.parseFloat64([]byte(b), 0, "test")
			if (err == nil) != (j == len(b)) || err == nil && math.Float64bits(got64) != math.Float64bits(want) {
				t.Fatalf("parseFloat64(%s) = %v, position %d, want %v, %v", b, got64, j, want, err)
			}
		}
	}
}

func TestIntegers(t *testing.T) {
	for s, want := range map[string]string{
		"0": "0", "-0": "0", "0e99999999999": "0", "0.000e-7": "0", "1e3": "1000", "1.0": "1", "1.50e1": "15", "100e-2": "1", "0.5e1": "5",
		"0.05E+2": "5", "12345678": "12345678", "123456789012345678": "123456789012345678",
		"18446744073709551615": "18446744073709551615", "1.8446744073709551615e19": "18446744073709551615",
		"10000000000000000000": "10000000000000000000", "9999999999999999999": "9999999999999999999",
		"18446744073709551616": "", "20000000000000000000": "", "99999999999999999999": "", "36893488147419103232": "", "19999999999999999999": "", "1e20": "",
		"1e-1": "", "1.5": "", "15e-1": "", "-1": "", "1e99999999999": "", "0.00000000000000000001e20": "1",
		// An integer, but one that protojson refuses for its exponent.
		"0.00000000000000000000005e23": "",
		"01":                           "", "-01": "", "00": "", "1.": "", ".5": "", "1e": "", "1e+": "", "-": "", "": "", "+1": "",
	} {
		d := NewDecoder(Options{})
		for _, b := range []string{s + ",", `"` + s + `",`} {
			got, j := d.parseUint64([]byte(b), 0, "test")
			if want == "" {
				if j >= 0 {
					t.Errorf("parseUint64(%s) = %d, want a refusal", b, got)
				}
				continue
			}
			if strconv.FormatUint(got, 10) != want || j != len(b)-1 {
				t.Errorf("parseUint64(%s) = %d up to %d, want %s", b, got, j, want)
			}
		}
	}
}
