package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts/diagnosis"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// gateStatusTimeout bounds how long a decision waits for the pipeline, which may
// be waiting for a broker: well under the 10 s that controllers wait.
const gateStatusTimeout = 2 * time.Second

// evidence gathers what a decision about an experiment rests on; about one arm
// alone where only is not empty.
func (s *Server) evidence(ctx context.Context, experiment, only string) (diagnosis.Evidence, error) {
	out := diagnosis.Evidence{
		Experiment: experiment, Control: s.controlOf(experiment), Now: s.opts.Now(),
		Alerts: s.opts.Alerts(), Service: s.howFar(ctx),
	}
	reported, named := s.reported(experiment)
	if !reported {
		return out, notReported(experiment)
	}
	seen := s.opts.Merged.Experiments()
	i := slices.IndexFunc(seen, func(e aggregator.Experiment) bool { return e.Name == experiment })
	if i < 0 {
		if named {
			return out, nil
		}
		return out, fmt.Errorf("experiment %q: no auction of it was seen: %w", experiment, aggregator.ErrUnknownExperiment)
	}
	steps := s.opts.Merged.RampSteps(experiment)
	for _, a := range seen[i].Arms {
		if a.Name == out.Control {
			out.ControlSeen = true
			continue
		}
		if only != "" && a.Name != only {
			continue
		}
		arm, err := s.sinceStep(experiment, out.Control, a, steps[a.Name])
		if err != nil {
			return out, err
		}
		out.Arms = append(out.Arms, arm)
	}
	return out, nil
}

// howFar asks the pipeline how far the numbers are.
func (s *Server) howFar(ctx context.Context) diagnosis.Service {
	ctx, cancel := context.WithTimeout(ctx, gateStatusTimeout)
	defer cancel()
	st, err := s.opts.Pipeline.Status(ctx)
	out := diagnosis.Service{LagRecords: st.LagRecords}
	switch {
	case err != nil:
		out.Problem = err.Error()
	case !s.opts.Pipeline.Ready():
		out.Problem = "partitions are not assigned, or their state is not restored yet"
	case st.Budgets.OverDisk:
		out.Problem = "no records are read, because the states take more than state.max_disk"
	}
	return out
}

// sinceStep compares an arm with control since its last ramp step.
func (s *Server) sinceStep(experiment, control string, a aggregator.Arm, steps []aggregator.RampStep) (diagnosis.Arm, error) {
	out := diagnosis.Arm{Name: a.Name, RampPercent: a.RampPercent, SinceMs: a.SinceMs}
	if len(steps) > 0 {
		last := steps[len(steps)-1]
		out.RampPercent, out.SinceMs = last.RampPercent, last.TimeMs
	}
	sum, err := s.from(experiment, out.SinceMs)
	if err != nil || sum == nil {
		return out, err
	}
	var own, others *aggregator.Sums
	for i := range sum.Arms {
		switch sum.Arms[i].Arm {
		case a.Name:
			own = sum.Arms[i].Total
		case control:
			others = sum.Arms[i].Total
		}
	}
	if own == nil {
		own = &aggregator.Sums{}
	}
	if others == nil {
		others = &aggregator.Sums{}
	}
	out.NewestMs, out.ControlNewestMs = own.LastMs, others.LastMs
	r, c := own.Read(sum.Curves), others.Read(sum.Curves)
	compare(&out, own.Compare(others, &r, &c), &r, &c)
	return out, nil
}

// from is what an experiment has from the first whole pane after ms on: the pane
// in which the step fell has auctions of both shares. It is nil where there is none yet.
func (s *Server) from(experiment string, ms int64) (*aggregator.Summary, error) {
	q := aggregator.Query{Experiment: experiment, FromMs: ms, ToMs: ms + 1}
	pane, err := s.opts.Merged.Summary(q)
	if err != nil {
		return nil, err
	}
	if q.FromMs, q.ToMs = pane.ToMs, 0; pane.FromMs == ms {
		q.FromMs = ms
	}
	sum, err := s.opts.Merged.Summary(q)
	if errors.Is(err, aggregator.ErrUnknownExperiment) { // it has expired in between
		return nil, nil
	}
	return sum, err
}

// compare fills in the comparison of both arms' readings.
func compare(out *diagnosis.Arm, v aggregator.Comparison, r, c *aggregator.Reading) {
	rw, cw := &r.Winners.Estimates, &c.Winners.Estimates
	out.Conversions, out.ControlConversions = conversions(rw), conversions(cw)
	out.Maturity, out.CalibrationAdjusted = rw.LabelMaturity.Estimate, rw.CalibrationAdjusted.Estimate
	out.CalibrationRatio = v.CalibrationRatio.Estimate
	rc, cc := &r.Candidates.Estimates, &c.Candidates.Estimates
	out.CandidateCalibrationRatio = together(v.CalibrationVsReferenceRatio.Estimate, rc.CalibrationVsReference, cc.CalibrationVsReference)
	out.LogLossIncrease = relative(rw.LogLossAdjusted, cw.LogLossAdjusted)
	out.NormalizedEntropyDifference = v.NormalizedEntropyDifference.Estimate
	out.CoverageDifference = differences(rc.Coverage, cc.Coverage)
	own, others := map[string]aggregator.Estimate{}, map[string]aggregator.Estimate{}
	ownP99, othersP99 := map[string]aggregator.Estimate{}, map[string]aggregator.Estimate{}
	for tower, t := range r.Serving {
		own[tower], ownP99[tower] = t.Estimates.SuccessRatio, t.Estimates.LatencyUs["0.99"]
	}
	for tower, t := range c.Serving {
		others[tower], othersP99[tower] = t.Estimates.SuccessRatio, t.Estimates.LatencyUs["0.99"]
	}
	out.SuccessDifference = differences(own, others)
	out.P99Ratio = both(ownP99, othersP99, stats.RatioOf)
}

// conversions is as how many independent ones they count.
func conversions(e *aggregator.WinnerEstimates) float64 { return e.Calibration.Effective }

// relative is the difference of two losses over the control's.
func relative(a, b aggregator.Estimate) stats.Estimate {
	d, ok := stats.Difference(a.Estimate, b.Estimate)
	if !ok || !b.HasValue() || !(b.Value > 0) {
		status := a.Status
		if status == stats.OK {
			status = b.Status
		}
		if status == stats.OK {
			status = stats.Undefined
		}
		return stats.Estimate{N: a.N + b.N, Status: status}
	}
	d.Value, d.Low, d.High = d.Value/b.Value, d.Low/b.Value, d.High/b.Value
	return together(d, a, b)
}

func differences(a, b map[string]aggregator.Estimate) map[string]stats.Estimate {
	return both(a, b, stats.Difference)
}

// both compares what two arms have under the same name. What one of them lacks
// is there without a value.
func both(a, b map[string]aggregator.Estimate, f func(a, b stats.Estimate) (stats.Estimate, bool)) map[string]stats.Estimate {
	out := map[string]stats.Estimate{}
	for name, e := range a {
		o, ok := b[name]
		if !ok {
			out[name] = stats.Estimate{N: e.N}
			continue
		}
		d, _ := f(e.Estimate, o.Estimate)
		out[name] = together(d, e, o)
	}
	for name, e := range b {
		if _, ok := a[name]; !ok {
			out[name] = stats.Estimate{N: e.N}
		}
	}
	return out
}

// together says how many independent contributions a comparison of two estimates
// is worth: as many as have the variance of both. Without counts it is left alone.
func together(e stats.Estimate, a, b aggregator.Estimate) stats.Estimate {
	if a.Effective > 0 && b.Effective > 0 {
		e.Effective = 1 / (1/a.Effective + 1/b.Effective)
	}
	return e
}
