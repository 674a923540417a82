package faultsim

import (
	"os"
	"strconv"
	"testing"
)

func TestSeeds(t *testing.T) {
	from, n := 0, 20
	if s := os.Getenv("SEED"); s != "" {
		from, _ = strconv.Atoi(s)
		n = 1
	}
	var f Faults
	for seed := from; seed < from+n; seed++ {
		r := Run(uint64(seed))
		f.Add(&r.Faults)
		if r.Difference != "" {
			for _, h := range r.History {
				t.Log(h)
			}
			t.Fatalf("seed %d: %s", seed, r.Difference)
		}
	}
	t.Log("\n" + f.Table())
}
