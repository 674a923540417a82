package worlds

import "github.com/rampgauge/rampgauge/aggregator"

// Summary is a summary with every number derived, ready to be compared as text.
type Summary struct {
	FromMs, ToMs int64
	Arms         []Arm
}

// Arm is one arm of a Summary.
type Arm struct {
	Arm          string
	RampPercents []float64
	Units        []uint32 // hashes kept of the units seen; of totals alone
	Total        aggregator.Reading
	Slices       []Row
}

// Row is one row of a breakdown.
type Row struct {
	Labels []aggregator.Label
	Row    aggregator.Reading
}

// Read derives every number of a summary.
func Read(s *aggregator.Summary) Summary {
	out := Summary{FromMs: s.FromMs, ToMs: s.ToMs}
	for _, a := range s.Arms {
		arm := Arm{Arm: a.Arm, RampPercents: a.RampPercents, Units: append([]uint32(nil), a.Total.Units.Hashes()...), Total: a.Total.Read(s.Curves)}
		for _, row := range a.Slices {
			arm.Slices = append(arm.Slices, Row{row.Labels, row.Sums.Read(s.Curves)})
		}
		out.Arms = append(out.Arms, arm)
	}
	return out
}
