package oracle

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// DefaultCases is how many cases are drawn of each statistic.
const DefaultCases = 200

// Values are inputs or outputs of a case by name: numbers, booleans, lists, and
// "inf" and "-inf" where JSON has no number.
type Values map[string]any

// Statistic is something to compare.
type Statistic struct {
	Name    string
	Vectors string // the file of test vectors whose tolerance holds for it
	Case    string // what the names of its cases in there begin with; "" where it has none
	// Draw draws a case. It is not ok where the draw is outside of what an oracle
	// can take, or of what the statistic is defined for.
	Draw func(r *rand.Rand) (in, out Values, ok bool)
}

// Case is a line of the file that oracle.py reads.
type Case struct {
	Statistic string `json:"statistic"`
	Vectors   string `json:"vectors"`
	Case      string `json:"case"`
	In        Values `json:"in"`
	Out       Values `json:"out"`
}

// Statistics are all that is compared.
func Statistics() []Statistic {
	return slices.Concat(
		ratios(), reliability(), losses(), ranking(), exposure(), delays(), mixtures(), sequences(), discoveries(),
		changes(), drifts(), coverage(), diagnosis(),
	)
}

// maxTries is how often a case is drawn until one will do.
const maxTries = 200

// Write draws n cases of each statistic and writes one a line. The cases of a
// statistic depend on the seed and on its name only.
func Write(w io.Writer, statistics []Statistic, seed uint64, n int) error {
	lines := json.NewEncoder(w)
	for _, s := range statistics {
		h := fnv.New64a()
		_, _ = io.WriteString(h, s.Name)
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		for i := range n {
			c, err := s.next(r)
			if err != nil {
				return fmt.Errorf("oracle: %s: case %d: %w", s.Name, i, err)
			}
			if err := lines.Encode(c); err != nil {
				return fmt.Errorf("oracle: %s: case %d: %w", s.Name, i, err)
			}
		}
	}
	return nil
}

func (s Statistic) next(r *rand.Rand) (Case, error) {
	for range maxTries {
		if in, out, ok := s.Draw(r); ok {
			return Case{s.Name, s.Vectors, s.Case, in, out}, nil
		}
	}
	return Case{}, fmt.Errorf("nothing that will do in %d draws: draw it otherwise", maxTries)
}

// low, high and value are the parts of an estimate, infinite where it has none.
func low(e stats.Estimate) any {
	if !e.HasLow() {
		return "-inf"
	}
	return e.Low
}

func high(e stats.Estimate) any {
	if !e.HasHigh() {
		return "inf"
	}
	return e.High
}

func value(e stats.Estimate) any {
	if !e.HasValue() {
		return "inf"
	}
	return e.Value
}

// all reports whether everything is.
func all(oks ...bool) bool { return !slices.Contains(oks, false) }
