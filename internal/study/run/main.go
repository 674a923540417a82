// Command run runs the studies and writes docs/studies.md with its plots, and
// ends with status 1 if a claim does not hold. `make study` starts it.
//
// It is a tool of the repository and no part of the product.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/internal/study"
)

func main() {
	var o study.Options
	out := flag.String("out", "docs", "the directory to write studies.md and its plots to")
	flag.Uint64Var(&o.Seed, "seed", 1, "of all draws")
	flag.BoolVar(&o.Quick, "quick", false, "run a small slice, by which no claim can be judged, and always end with status 0")
	flag.IntVar(&o.Workers, "workers", 0, "how many replications run at once; 0 is one a processor")
	flag.Parse()
	begin := time.Now()
	o.Started = func(part string) { fmt.Printf("%5.0f s  %s\n", time.Since(begin).Seconds(), part) }
	s := study.Run(o)
	fmt.Printf("%5.0f s  done\n", time.Since(begin).Seconds())
	if err := write(*out, s.Files()); err != nil {
		fmt.Fprintln(os.Stderr, "study:", err)
		os.Exit(1)
	}
	if o.Quick {
		return
	}
	failed := s.Failed()
	for _, id := range slices.Sorted(maps.Keys(failed)) {
		for _, r := range failed[id] {
			fmt.Fprintf(os.Stderr, "study: %s: %s %v: measured %.4g [%.4g, %.4g]: does not hold\n", id, r.Condition, r.Notes, r.Figure.Value, r.Figure.Low, r.Figure.High)
		}
	}
	if len(failed) > 0 {
		os.Exit(1)
	}
}

// write writes the files, and removes plots of an earlier run that are none of
// them.
func write(dir string, files map[string][]byte) error {
	plots := filepath.Join(dir, study.PlotDirectory)
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(plots, "*.svg"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if files[study.PlotDirectory+"/"+filepath.Base(path)] != nil {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
