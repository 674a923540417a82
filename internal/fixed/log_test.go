package fixed

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLn(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	check := func(x float64) {
		want := math.Log(x)
		if got := Ln(x); math.Abs(got-want) > 1e-15*(1+math.Abs(want)) {
			t.Errorf("Ln(%v) = %.17g, want %.17g: off by %.2g", x, got, want, got-want)
		}
	}
	for _, x := range []float64{1, 0.5, 2, 1 - 0x1p-53, 1 + 0x1p-52, 0x1p-1022, math.MaxFloat64, 1 - 1e-5, 1 - 1e-7, 0.999} {
		check(x)
	}
	for range 200_000 {
		check(math.Exp(20 * (r.Float64() - 0.5)))
		check(1 - math.Exp(-16*r.Float64()))
	}
}

// ln(1−p) for tiny p is where a log loss made of many equal terms would show a
// relative error.
func TestLossOfTinyPredictions(t *testing.T) {
	for _, p := range []float64{1e-3, 1e-4, 1e-5, 1e-6} {
		want := p + p*p/2 + p*p*p/3
		got := float64(Loss(1-p)) / (1 << LossBits)
		if math.Abs(got-want)/want > 1e-8 {
			t.Errorf("Loss(1-%g) = %g, want %g", p, got, want)
		}
	}
}

func TestLogRatio(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100_000 {
		p, q := float32(math.Exp(-12*r.Float64())), float32(math.Exp(-12*r.Float64()))
		want := math.Log(float64(p) / float64(q))
		got := float64(LogRatio(p, q)) / (1 << LogBits)
		if math.Abs(got-want) > 0x1p-40 {
			t.Fatalf("LogRatio(%v, %v) = %v, want %v", p, q, got, want)
		}
		if LogRatio(p, p) != 0 {
			t.Fatalf("LogRatio(%v, %v) = %d, want 0", p, p, LogRatio(p, p))
		}
	}
}

func TestSumPairs(t *testing.T) {
	p := []float32{0.25, 0.5, 0.1, 0.2}
	r := []float32{0.5, 0.25, 0, 0.1}
	want := PairSums{N: 3}
	for _, i := range []int{0, 1, 3} {
		d := LogRatio(p[i], r[i])
		want.Log += d
		want.AbsLog += max(d, -d)
		want.P += int64(math.RoundToEven(math.Ldexp(float64(p[i]), ClusterBits)))
		want.R += int64(math.RoundToEven(math.Ldexp(float64(r[i]), ClusterBits)))
	}
	if got := SumPairs(p, r); got != want {
		t.Errorf("SumPairs = %+v, want %+v", got, want)
	}
}

func BenchmarkSumPairs(b *testing.B) {
	p := make([]float32, 1024)
	for i := range p {
		p[i] = float32(i+1) / 1100
	}
	r := slices.Clone(p)
	slices.Reverse(r)
	for b.Loop() {
		SumPairs(p, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/candidate")
}

// Where several pairs are taken at once, every bit is that of one at a time.
func TestSumPairsAtOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	value := func() float32 {
		switch rng.IntN(8) {
		case 0:
			return math.SmallestNonzeroFloat32
		case 1:
			return math.Nextafter32(1, 0)
		case 2:
			return 0.5
		default:
			return float32(math.Exp(-40 * rng.Float64()))
		}
	}
	for range 20_000 {
		n := rng.IntN(40)
		ps, rs := make([]float32, n), make([]float32, n)
		for i := range ps {
			ps[i] = value()
			if rng.IntN(5) > 0 {
				rs[i] = value()
			}
		}
		if got, want := SumPairs(ps, rs), sumPairs(ps, rs); got != want {
			t.Fatalf("SumPairs(%v, %v) = %+v, want %+v", ps, rs, got, want)
		}
	}
}
