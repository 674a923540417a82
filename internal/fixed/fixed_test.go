package fixed

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func (a Int128) big() *big.Int {
	v := new(big.Int).Lsh(big.NewInt(a.Hi), 64)
	return v.Add(v, new(big.Int).SetUint64(a.Lo))
}

func TestArithmeticAgainstBig(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		x, y := int64(r.Uint64()), int64(r.Uint64())
		a, b := Mul(x, y), Mul(y, int64(r.Uint64()))
		if want := new(big.Int).Mul(big.NewInt(x), big.NewInt(y)); a.big().Cmp(want) != 0 {
			t.Fatalf("Mul(%d, %d) = %v, want %v", x, y, a.big(), want)
		}
		a, b = Int128{Hi: a.Hi >> 2, Lo: a.Lo}, Int128{Hi: b.Hi >> 2, Lo: b.Lo}
		if got, want := a.Add(b).big(), new(big.Int).Add(a.big(), b.big()); got.Cmp(want) != 0 {
			t.Fatalf("Add = %v, want %v", got, want)
		}
		if got, want := a.Sub(b).big(), new(big.Int).Sub(a.big(), b.big()); got.Cmp(want) != 0 {
			t.Fatalf("Sub = %v, want %v", got, want)
		}
		c := a
		c.AddInt64(y)
		if want := new(big.Int).Add(a.big(), big.NewInt(y)); c.big().Cmp(want) != 0 {
			t.Fatalf("AddInt64 = %v, want %v", c.big(), want)
		}
		wantF, _ := new(big.Float).SetInt(a.big()).Float64()
		if got := a.Float(0); math.Abs(got-wantF) > math.Abs(wantF)*0x1p-51 {
			t.Fatalf("Float = %v, want %v", got, wantF)
		}
	}
}

func TestFromFloat(t *testing.T) {
	for _, tc := range []struct {
		v      float64
		places int
		want   int64
	}{
		{0, 48, 0}, {1, 48, 1 << 48}, {-1, 48, -1 << 48}, {0.5, 1, 1}, {0.25, 1, 0}, {0.75, 1, 2}, {-0.75, 1, -2},
		{0x1p-49, 48, 0}, {0x1.8p-48, 48, 2}, {0x1p-400, 48, 0}, {3, 0, 3}, {0x1p62, 0, 1 << 62},
	} {
		if got := FromFloat(tc.v, tc.places); got != FromInt64(tc.want) {
			t.Errorf("FromFloat(%v, %d) = %v, want %d", tc.v, tc.places, got.big(), tc.want)
		}
	}
	if got, want := FromFloat(0x1p60, 40), FromInt64(1).Shl(100); got != want {
		t.Errorf("FromFloat(2^60, 40) = %v, want %v", got.big(), want.big())
	}
}

// rounded is v·2^places to the nearest integer, halves to even, in big numbers.
func rounded(v float64, places int) *big.Int {
	scaled := new(big.Float).SetMantExp(new(big.Float).SetPrec(2000).SetFloat64(v), places)
	twice, _ := new(big.Float).SetPrec(2000).Mul(scaled, big.NewFloat(2)).Int(nil)
	exact := new(big.Float).SetPrec(2000).SetInt(twice).Cmp(new(big.Float).SetPrec(2000).Mul(scaled, big.NewFloat(2))) == 0
	floor := new(big.Int).Rsh(twice, 1) // of what Int has cut towards zero
	if twice.Sign() < 0 && !exact {
		floor.Rsh(new(big.Int).Sub(twice, big.NewInt(1)), 1)
	}
	half := new(big.Float).SetPrec(2000).Sub(scaled, new(big.Float).SetPrec(2000).SetInt(floor))
	switch half.Cmp(big.NewFloat(0.5)) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		floor.Add(floor, new(big.Int).And(floor, big.NewInt(1)))
	}
	return floor
}

// Every shift, left and right, and beyond where nothing is left of v.
func TestFromFloatAgainstBig(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 100_000 {
		places := r.IntN(81)
		v := math.Ldexp(1+r.Float64(), r.IntN(126+80)-places-80)
		if r.IntN(4) == 0 { // an odd number of halves
			v = math.Ldexp(float64(2*r.IntN(1<<20)+1), -places-1)
		}
		if r.IntN(2) == 0 {
			v = -v
		}
		if math.Abs(v) >= math.Ldexp(1, 126-places) {
			continue
		}
		if got, want := FromFloat(v, places).big(), rounded(v, places); got.Cmp(want) != 0 {
			t.Fatalf("FromFloat(%x, %d) = %v, want %v", v, places, got, want)
		}
	}
}

func TestFloat(t *testing.T) {
	smallest := Int128{Hi: math.MinInt64}
	for _, tc := range []struct {
		a      Int128
		places int
		want   float64
	}{
		{Int128{}, 48, 0},
		{FromInt64(1), 48, 0x1p-48},
		{FromInt64(-1), 48, -0x1p-48},
		{FromInt64(-3), 1, -1.5},
		{FromInt64(math.MinInt64), 0, -0x1p63},
		{Int128{Hi: 1}, 0, 0x1p64},
		{Int128{Hi: -1}, 0, -0x1p64},
		{Int128{Hi: -1, Lo: math.MaxUint64}, 0, -1},
		{Int128{Hi: math.MaxInt64, Lo: math.MaxUint64}, 0, 0x1p127},
		{smallest, 0, -0x1p127},
		{smallest, 127, -1},
		{FromInt64(1).Shl(126), 76, 0x1p50},
		{FromInt64(1), 1100, 0}, // below the smallest float
	} {
		if got := tc.a.Float(tc.places); got != tc.want {
			t.Errorf("%v.Float(%d) = %v, want %v", tc.a.big(), tc.places, got, tc.want)
		}
	}
}

func TestShlSignAndZero(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 10_000 {
		n := uint(r.IntN(127))
		a := Int128{Lo: r.Uint64()}
		if keep := 126 - int(n); keep < 64 {
			a.Lo &= 1<<max(keep, 0) - 1
		}
		if r.IntN(2) == 0 {
			a = Int128{}.Sub(a)
		}
		want := new(big.Int).Lsh(a.big(), n)
		got := a.Shl(n)
		if got.big().Cmp(want) != 0 {
			t.Fatalf("%v.Shl(%d) = %v, want %v", a.big(), n, got.big(), want)
		}
		if got.Sign() != want.Sign() || got.IsZero() != (want.Sign() == 0) {
			t.Fatalf("%v: Sign %d, IsZero %v", want, got.Sign(), got.IsZero())
		}
	}
}
