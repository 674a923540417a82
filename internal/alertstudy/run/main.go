// Command run runs the study of the default alerts and writes its page, and ends
// with status 1 if there were more false pages than the budget allows.
// `make study-alerts` starts it.
//
// It is a tool of the repository and no part of the product.
package main

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/internal/alertstudy"
)

func main() {
	o := alertstudy.DefaultOptions()
	out := flag.String("out", "docs/studies/alerts.md", "the page to write")
	flag.Uint64Var(&o.Seed, "seed", o.Seed, "of all draws")
	flag.IntVar(&o.Quiet, "quiet", o.Quiet, "how many experiments without a difference")
	flag.DurationVar(&o.Length, "length", o.Length, "of each of them")
	flag.IntVar(&o.Slices, "slices", o.Slices, "of each of them")
	flag.IntVar(&o.Planted, "planted", o.Planted, "how many experiments for each kind of change")
	flag.Parse()
	begin := time.Now()
	var done atomic.Int64
	o.Done = func(what string, n int) {
		if k := done.Add(1); what != "quiet" || k%10 == 0 {
			fmt.Printf("%5.0f s  %s, %d done\n", time.Since(begin).Seconds(), what, max(int64(n), k))
		}
	}
	r := alertstudy.Run(o)
	if err := os.WriteFile(*out, r.Page(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "study-alerts:", err)
		os.Exit(1)
	}
	if !r.Within() {
		fmt.Fprintf(os.Stderr, "study-alerts: %d false pages are more than the budget allows\n", r.False())
		os.Exit(1)
	}
}
