package oracle

import (
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// drifts is section 6.
func drifts() []Statistic {
	const file = "drift"
	return []Statistic{
		{"drift of histograms", file, "histogram", histograms},
		{"drift of categories", file, "evidently categorical", categories},
		{"drift of samples", file, "evidently numeric", samples},
	}
}

// histogram draws both counts of as many bins, some of them empty.
func histogram(r *rand.Rand, most int) stats.Drift {
	d := stats.Drift{}
	shift := pick(r, 0, 0.3, 1.5)
	size := float64(spreadCount(r, 5, most))
	for range 2 + r.IntN(20) {
		mass := size * r.ExpFloat64()
		if r.IntN(8) == 0 {
			mass = 0
		}
		d.Reference = append(d.Reference, events(r, mass))
		if r.IntN(10) == 0 {
			mass = 0
		}
		d.Current = append(d.Current, events(r, mass*(1+shift*r.Float64())))
	}
	return d
}

func histograms(r *rand.Rand) (in, out Values, ok bool) {
	d := histogram(r, 1e8)
	kappa, phi := pick(r, 0.5, spread(r, 0.01, 2)), pick(r, 1, 1, between(r, 1, 5))
	positions := make([]float64, len(d.Reference))
	at := -10.0
	for i := range positions {
		at += spread(r, 0.01, 2)
		positions[i] = short(at)
	}
	psi, ok1 := d.PSI(kappa, phi)
	js, ok2 := d.JS()
	ks, within, ok3 := d.KS()
	w, ok4 := d.Wasserstein(positions)
	return Values{"ref": d.Reference, "cur": d.Current, "kappa": kappa, "phi": phi, "positions": positions}, Values{
		"psi": psi.Value, "psi_null_mean": psi.NullMean, "psi_critical": psi.Critical, "psi_threshold": psi.Threshold,
		"js_distance": js.Distance, "js_base2": js.DistanceBase2(), "js_debiased": js.Debiased, "ks": ks, "ks_within": within,
		"w1": w.Value, "w1_scaled": w.Scaled,
	}, all(ok1, ok2, ok3, ok4)
}

func categories(r *rand.Rand) (in, out Values, ok bool) {
	d := histogram(r, 200)
	psi, okP := d.FilledPSI()
	js, okJ := d.JS()
	return Values{"ref": d.Reference, "cur": d.Current}, Values{"psi": psi, "js": js.Distance}, all(okP, okJ)
}

// samples has more than 20 different values, which evidently takes for numbers.
func samples(r *rand.Rand) (in, out Values, ok bool) {
	mean, sd := pick(r, 0, 0.3, 1)*r.NormFloat64(), spread(r, 0.5, 2)
	s := stats.Samples{
		Reference: floats(spreadCount(r, 25, 500), func() float64 { return short(r.NormFloat64()) }),
		Current:   floats(spreadCount(r, 25, 500), func() float64 { return short(mean + sd*r.NormFloat64()) }),
	}
	d, ok1 := s.Sturges()
	psi, ok2 := d.FilledPSI()
	js, ok3 := d.JS()
	w, ok4 := s.Wasserstein()
	ks, p, ok5 := s.KS()
	return Values{"ref": s.Reference, "cur": s.Current}, Values{
		"psi": psi, "js": js.Distance, "w1": w.Value, "w1_scaled": w.Scaled, "ks": ks, "ks_p": p,
	}, all(ok1, ok2, ok3, ok4, ok5)
}
