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
