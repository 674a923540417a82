package fixed

import "math"

// logTableBits is how many mantissa bits pick a table entry. With 7 the reduced
// argument is below 2^-7.9 and five terms of its series reach 2^-52.
const logTableBits = 7

// logTable holds, for each of 2^7 equal parts of [1, 2), the inverse of a point
// near its middle and the point's logarithm.
var logTable = makeLogTable()

type logEntry struct{ inverse, log float64 }

func makeLogTable() (t [1 << logTableBits]logEntry) {
	for i := range t {
		middle := 1 + (float64(i)+0.5)/(1<<logTableBits)
		// The inverse is cut to 20 bits: its product with a float32 mantissa is
		// then exact, and the logarithm is taken of the very value used.
		inverse := math.Ldexp(math.Round(math.Ldexp(1/middle, 20)), -20)
		t[i] = logEntry{inverse, logExact(1 / inverse)}
	}
	return t
}

// logExact is ln x for x in [1, 2) by the series of artanh, written out so that
// the table does not depend on the platform's math.Log.
func logExact(x float64) float64 {
	z := (x - 1) / (x + 1)
	z2 := float64(z * z)
	sum, term := 0.0, z
	for k := 1.0; k < 60; k += 2 {
		sum += float64(term / k)
		term = float64(term * z2)
	}
	return 2 * sum
}

// Ln is the natural logarithm of a positive, finite, normal x, with an absolute
// error below 1e-15·(1+|ln x|). Unlike math.Log it gives the same bits on every
// platform, on which the equality of sums across machines rests: products are
// converted explicitly, which forbids the compiler to fuse them into the
// additions that follow.
func Ln(x float64) float64 {
	bits := math.Float64bits(x)
	e := int(bits>>52) - 1023
	entry := &logTable[bits>>(52-logTableBits)&(1<<logTableBits-1)]
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
	r := float64(m*entry.inverse) - 1
	return float64(float64(e)*math.Ln2) + entry.log + log1pSmall(r)
}

// log1pSmall is ln(1+r) for |r| < 2^-7.9.
func log1pSmall(r float64) float64 {
	r2 := float64(r * r)
	low := 0.5 - float64(r*(1.0/3))
	high := 0.25 - float64(r*(1.0/5)) + float64(r2*(1.0/6))
	return r - float64(r2*(low+float64(r2*high)))
}

// The table of LogRatio is finer than that of Ln, so that three terms of the
// series do.
const (
	ratioTableBits = 10
	ratioOne       = 1 << LogBits
)

// ratioTable holds logarithms in units of 2^-40: scaling by a power of two is
// exact, and saves doing it for every candidate.
var ratioTable = makeRatioTable()

func makeRatioTable() (t [1 << ratioTableBits]logEntry) {
	for i := range t {
		middle := 1 + (float64(i)+0.5)/(1<<ratioTableBits)
		inverse := math.Ldexp(math.Round(math.Ldexp(1/middle, 20)), -20)
		t[i] = logEntry{inverse, logExact(1/inverse) * ratioOne}
	}
	return t
}

// roundingMagic is 1.5·2^52: adding it leaves an integer in the low bits of the
// sum, rounded half to even.
const roundingMagic = 0x1.8p52

// LogRatio is ln(p/r) of two positive numbers, in units of 2^-40, with an error
// below one unit. It takes the logarithm of the quotient as Ln does, with the
// same care for equal bits everywhere.
func LogRatio(p, r float32) int64 {
	s := SumPairs([]float32{p}, []float32{r})
	return s.Log
}

// PairSums is what pairs of a prediction p and a reference r add up to.
type PairSums struct {
	N           int64 // pairs
	Log, AbsLog int64 // Σ ln(p/r) and Σ|ln(p/r)|, LogBits
	P, R        int64 // Σp and Σr, ClusterBits, each rounded by itself
}

func (s *PairSums) add(o *PairSums) {
	s.N += o.N
	s.Log += o.Log
	s.AbsLog += o.AbsLog
	s.P += o.P
	s.R += o.R
}

// SumPairs adds up the pairs whose r is not 0; both are in (0, 1) then. There are
// at most 2^15 pairs, so that 64 bits hold the sums.
func SumPairs(ps, rs []float32) PairSums {
	rs = rs[:len(ps)]
	n, sums := sumPairsFast(ps, rs)
	rest := sumPairs(ps[n:], rs[n:])
	sums.add(&rest)
	return sums
}

// sumPairs is SumPairs on any platform. What stands in for it where the
// processor can do several pairs at once gives the same bits.
func sumPairs(ps, rs []float32) (s PairSums) {
	const whole = 0x433 << 52 // the bits of 2^52, below which an integer is left
	rs = rs[:len(ps)]
	// Written out: the compiler takes it for too long to be inlined, and a call
	// for each pair costs as much as the logarithm.
	for i, p := range ps {
		r := rs[i]
		if r == 0 {
			continue
		}
		bits := math.Float64bits(float64(p) / float64(r))
		entry := &ratioTable[bits>>(52-ratioTableBits)&(1<<ratioTableBits-1)]
		m := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
		z := float64(m*entry.inverse) - 1
		series := float64(z*ratioOne) - float64(float64(z*z)*(ratioOne/2-float64(z*(ratioOne/3.0))))
		v := float64(float64(int(bits>>52)-1023)*(math.Ln2*ratioOne)) + entry.log + series
		d := int64(math.Float64bits(v+roundingMagic)) - int64(math.Float64bits(roundingMagic))
		s.Log += d
		s.AbsLog += max(d, -d)
		s.N++
		s.P += int64(math.Float64bits(float64(p)*(1<<ClusterBits)+0x1p52) - whole)
		s.R += int64(math.Float64bits(float64(r)*(1<<ClusterBits)+0x1p52) - whole)
	}
	return s
}

// Loss is −ln x in units of 2^-52, for the x in (0, 1] that a prediction gave
// to what happened.
func Loss(x float64) int64 {
	return int64(math.RoundToEven(-Ln(x) * (1 << LossBits)))
}
