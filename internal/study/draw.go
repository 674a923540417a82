package study

import (
	"math"
	"math/rand/v2"
	"slices"
)

// counts draws whole numbers by inversion of their distribution function.
type counts struct {
	cdf   []float64
	guide []int32 // the first number whose cdf is above i/len(guide)
}

// panjer is the distribution with p_k = (a + b/k)·p_{k−1}, as Panjer 1981 (ASTIN
// Bulletin 12) classes them: Poisson, binomial or negative binomial.
func panjer(a, b float64) counts {
	logs := []float64{0}
	top := 0.0
	for k := 1.0; ; k++ {
		ratio := a + b/k
		if ratio <= 0 {
			break
		}
		next := logs[len(logs)-1] + math.Log(ratio)
		if ratio < 1 && next < top-45 { // less than 1e-19 of the mode
			break
		}
		logs = append(logs, next)
		top = max(top, next)
	}
	mass := make([]float64, len(logs))
	for k, v := range logs {
		mass[k] = math.Exp(v - top)
	}
	return inversion(mass)
}

// inversion draws k with a probability in proportion to mass[k].
func inversion(mass []float64) counts {
	c := counts{cdf: make([]float64, len(mass)), guide: make([]int32, 2*len(mass))}
	total := 0.0
	for k, m := range mass {
		total += m
		c.cdf[k] = total
	}
	for k := range c.cdf {
		c.cdf[k] /= total
	}
	c.cdf[len(c.cdf)-1] = math.Inf(1) // whatever rounding leaves
	k := int32(0)
	for i := range c.guide {
		for c.cdf[k] <= float64(i)/float64(len(c.guide)) {
			k++
		}
		c.guide[i] = k
	}
	return c
}

func (c *counts) draw(r *rand.Rand) int64 {
	u := r.Float64()
	k := c.guide[int(u*float64(len(c.guide)))]
	for c.cdf[k] <= u {
		k++
	}
	return int64(k)
}

func poisson(mean float64) counts { return panjer(0, mean) }

func binomial(n, p float64) counts { return panjer(-p/(1-p), (n+1)*p/(1-p)) }

// negativeBinomial has the mean, and φ > 1 times it as the variance: clusters
// come as a Poisson process, and their sizes have a logarithmic distribution.
func negativeBinomial(mean, phi float64) counts {
	a := (phi - 1) / phi
	return panjer(a, (mean/(phi-1)-1)*a)
}

// source draws the conversions of a window of one arm.
type source struct {
	parts    []part
	expected float64 // predicted conversions
}

// part draws clusters of one size.
type part struct {
	clusters counts
	size     int64
}

func (s *source) draw(r *rand.Rand) int64 {
	n := int64(0)
	for i := range s.parts {
		n += s.parts[i].size * s.parts[i].clusters.draw(r)
	}
	return n
}

// family is how conversions come in clusters.
type family uint8

const (
	independent family = iota // Poisson counts, or rows where rowsOf.p is set
	logarithmic               // negative binomial counts
	twoSizes                  // half of the conversions alone, the others in clusters of 2φ−1
)

// rowsOf says what rows are like.
type rowsOf struct {
	p      float64 // mean prediction of Bernoulli rows, half of them at p/2 and half at 3p/2; 0 means Poisson counts
	family family
	phi    float64 // design effect
}

// source is a window with about mean predicted conversions, which come factor
// times as often as predicted.
func (m rowsOf) source(mean, factor float64) source {
	switch {
	case m.family == logarithmic:
		return source{[]part{{negativeBinomial(mean*factor, m.phi), 1}}, mean}
	case m.family == twoSizes:
		size := 2*m.phi - 1
		return source{[]part{{poisson(mean * factor / 2), 1}, {poisson(mean * factor / 2 / size), int64(size)}}, mean}
	case m.p > 0:
		half := math.Max(1, math.Round(mean/m.p/2))
		return source{[]part{{binomial(half, m.p/2*factor), 1}, {binomial(half, 1.5*m.p*factor), 1}}, 2 * half * m.p}
	}
	return source{[]part{{poisson(mean * factor), 1}}, mean}
}

// pick draws from a distribution function over items.
func pick(r *rand.Rand, cdf []float64) int {
	u := r.Float64() * cdf[len(cdf)-1]
	i, _ := slices.BinarySearch(cdf, u)
	return min(i, len(cdf)-1)
}
