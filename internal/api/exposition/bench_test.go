package exposition_test

import (
	"testing"

	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/api/exposition"
)

// BenchmarkScrape gathers all metrics; the cost of a scrape grows with the
// cells and windows kept.
func BenchmarkScrape(b *testing.B) {
	m := apitest.Ramp(3600)
	g := exposition.New(options(m)).Gatherer()
	windows := len(m.Windows())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Gather(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(windows), "windows")
}
