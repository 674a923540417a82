package worlds

import (
	"fmt"
	"math"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/recount"
)

// Diffs collects what two results differ in.
type Diffs struct {
	List  []string
	place string
}

// At returns Diffs of a place within d's, to be taken with Take.
func (d *Diffs) At(place string) *Diffs { return &Diffs{place: d.place + place + " "} }

// Take adds what o has collected.
func (d *Diffs) Take(o *Diffs) { d.List = append(d.List, o.List...) }

// Addf adds a difference.
func (d *Diffs) Addf(format string, args ...any) {
	d.List = append(d.List, d.place+fmt.Sprintf(format, args...))
}

// Count compares to the last unit.
func (d *Diffs) Count(what string, got, want int64) {
	if got != want {
		d.Addf("%s: got %d, want %d", what, got, want)
	}
}

// Sum compares to 1e-8, relative to the value or to scale where that is more.
func (d *Diffs) Sum(what string, got, want, scale float64) {
	if !(math.Abs(got-want) <= 1e-8*max(math.Abs(want), scale)) {
		d.Addf("%s: got %v, want %v", what, got, want)
	}
}

func (d *Diffs) number(what string, got aggregator.Number, want recount.Number, scale float64) {
	if got.OK != want.OK {
		d.Addf("%s: got %+v, want %+v", what, got, want)
		return
	}
	d.Sum(what, got.Value, want.Value, scale)
}

func (d *Diffs) quantile(what string, got aggregator.Number, want recount.Quantile) {
	if got.OK != want.OK || got.OK && (got.Value < want.Low*0.99 || got.Value > want.High*1.01) {
		d.Addf("%s: got %+v, want %+v within 1 %%", what, got, want)
	}
}

// near compares to a tolerance relative to the wanted value.
func (d *Diffs) near(what string, got aggregator.Number, want recount.Number, tolerance float64) {
	if got.OK != want.OK || !(math.Abs(got.Value-want.Value) <= tolerance*math.Abs(want.Value)) {
		d.Addf("%s: got %+v, want %+v", what, got, want)
	}
}
