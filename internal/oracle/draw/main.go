// Command draw writes random cases of every statistic, one a line of JSON, with
// what internal/stats makes of them. `make oracle` starts it.
//
// It is a tool of the repository and no part of the product.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"

	"github.com/rampgauge/rampgauge/internal/oracle"
)

func main() {
	seed := flag.Uint64("seed", 1, "the seed of all draws")
	cases := flag.Int("cases", oracle.DefaultCases, "cases of each statistic")
	flag.Parse()
	w := bufio.NewWriter(os.Stdout)
	err := oracle.Write(w, oracle.Statistics(), *seed, *cases)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
