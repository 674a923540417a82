package diagnosis_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/diagnosis"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// drawn is evidence that is near the limits, on either side, with some numbers
// missing and some alerts.
func drawn(r *rand.Rand) diagnosis.Evidence {
	e := healthy()
	a := &e.Arms[0]
	around := func(center, limit float64) stats.Estimate {
		n := int64(math.Exp(r.Float64() * 14))
		v := center + limit*1.5*r.NormFloat64()*float64(r.IntN(2))
		half := limit * math.Exp(2*r.NormFloat64()-2.5)
		out := est(v, v-half, v+half, n)
		switch r.IntN(40) {
		case 0:
			out.Status = stats.Status(r.IntN(6))
		case 1:
			out.Known &^= stats.Known(1 << r.IntN(3))
		case 2:
			out.Effective = 0
		}
		return out
	}
	ratio := func(limit float64) stats.Estimate {
		out, _ := around(0, limit).Exp()
		return out
	}
	a.CalibrationRatio, a.CandidateCalibrationRatio = ratio(0.1), ratio(0.1)
	a.LogLossIncrease = around(-0.01, 0.02)
	a.CoverageDifference = map[string]stats.Estimate{"user": around(0, 0.02), "offsite_visits": around(0, 0.02)}
	a.SuccessDifference = map[string]stats.Estimate{"query": around(0, 0.002)}
	a.P99Ratio = map[string]stats.Estimate{"query": ratio(0.2)}
	if r.IntN(5) == 0 {
		a.Conversions = 300 * r.Float64()
	}
	if r.IntN(5) == 0 {
		e.Now = e.Now.Add(time.Duration(r.IntN(1200)) * time.Second)
	}
	for range r.IntN(3) / 2 {
		e.Alerts = append(e.Alerts, alert("coverage-vs-control", alerts.MetricCoverage, []string{"treatment", "control", ""}[r.IntN(3)], "user",
			[]alerts.Severity{alerts.Critical, alerts.Warning}[r.IntN(2)], []alerts.Phase{alerts.Firing, alerts.Pending, alerts.Inactive, alerts.Waiting}[r.IntN(4)]))
	}
	return e
}

// harms are each more of one kind of harm.
func harms(e diagnosis.Evidence, r *rand.Rand) map[string]diagnosis.Evidence {
	out := map[string]diagnosis.Evidence{}
	with := func(name string, change func(e *diagnosis.Evidence, a *diagnosis.Arm)) {
		c := e
		c.Arms = []diagnosis.Arm{e.Arms[0]}
		c.Alerts = append([]alerts.Alert(nil), e.Alerts...)
		change(&c, &c.Arms[0])
		out[name] = c
	}
	shifted := func(s stats.Estimate, by float64) stats.Estimate {
		s.Value, s.Low, s.High = s.Value+by, s.Low+by, s.High+by
		return s
	}
	lost := func(m map[string]stats.Estimate, by float64) map[string]stats.Estimate {
		c := map[string]stats.Estimate{}
		for k, v := range m {
			c[k] = shifted(v, -by)
		}
		return c
	}
	size := r.ExpFloat64()
	with("log loss", func(_ *diagnosis.Evidence, a *diagnosis.Arm) {
		a.LogLossIncrease = shifted(a.LogLossIncrease, 0.02*size)
	})
	with("coverage", func(_ *diagnosis.Evidence, a *diagnosis.Arm) {
		a.CoverageDifference = lost(a.CoverageDifference, 0.02*size)
	})
	with("success", func(_ *diagnosis.Evidence, a *diagnosis.Arm) {
		a.SuccessDifference = lost(a.SuccessDifference, 0.002*size)
	})
	with("firing", func(e *diagnosis.Evidence, _ *diagnosis.Arm) {
		e.Alerts = append(e.Alerts, alert("serving-success", alerts.MetricServingSuccess, "treatment", "query", alerts.Critical, alerts.Firing))
	})
	with("age", func(e *diagnosis.Evidence, _ *diagnosis.Arm) {
		e.Now = e.Now.Add(time.Duration(1200*size) * time.Second)
	})
	with("lag", func(e *diagnosis.Evidence, _ *diagnosis.Arm) { e.Service.LagRecords += int64(2e6 * size) })
	with("control has gone", func(e *diagnosis.Evidence, _ *diagnosis.Arm) { e.ControlSeen = false })
	return out
}

// More harm never makes the answer better; where it was rollback already, it
// never becomes go.
func TestHarmIsMonotone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	counts := map[diagnosis.Decision]int{}
	for range 6_000 {
		e := drawn(r)
		before := diagnosis.Worst(diagnosis.Decide(e, diagnosis.DefaultGuardrails()))
		counts[before.Decision]++
		for name, worse := range harms(e, r) {
			after := diagnosis.Worst(diagnosis.Decide(worse, diagnosis.DefaultGuardrails()))
			if before.Decision.Worse(after.Decision) {
				t.Fatalf("more harm to %s turned %s into %s:\n%s\n%s", name, before.Decision, after.Decision,
					strings.Join(before.Reasons, "\n"), strings.Join(after.Reasons, "\n"))
			}
		}
	}
	for _, d := range []diagnosis.Decision{diagnosis.Go, diagnosis.Hold, diagnosis.Wait, diagnosis.Rollback} {
		if counts[d] < 50 {
			t.Errorf("%s was drawn %d times only", d, counts[d])
		}
	}
}

// Calibration is harmed in both directions: away from 1 rollback stays rollback.
func TestCalibrationHarmKeepsRollback(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	rollbacks := 0
	for range 6_000 {
		e := drawn(r)
		if diagnosis.Worst(diagnosis.Decide(e, diagnosis.DefaultGuardrails())).Decision != diagnosis.Rollback {
			continue
		}
		rollbacks++
		a := &e.Arms[0]
		by := math.Exp(math.Copysign(0.1*r.ExpFloat64(), a.CalibrationRatio.Value-1))
		c := &a.CalibrationRatio
		c.Value, c.Low, c.High = c.Value*by, c.Low*by, c.High*by
		if got := diagnosis.Worst(diagnosis.Decide(e, diagnosis.DefaultGuardrails())); got.Decision == diagnosis.Go {
			t.Fatalf("a calibration farther off turned rollback into go: %v", got.Reasons)
		}
	}
	if rollbacks < 300 {
		t.Errorf("%d rollbacks were drawn only", rollbacks)
	}
}

// Go means that every check passes, with its whole interval inside its limit,
// and that interval is wider than the one for one look.
func TestGoHasEveryIntervalInside(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	seen := 0
	for range 6_000 {
		e := drawn(r)
		gate := diagnosis.Worst(diagnosis.Decide(e, diagnosis.DefaultGuardrails()))
		if gate.Decision != diagnosis.Go {
			continue
		}
		seen++
		for _, c := range gate.Checks {
			if c.Verdict == diagnosis.Shown {
				continue
			}
			inside := c.Verdict == diagnosis.Pass
			switch c.Name {
			case "calibration_shift", "candidate_calibration_shift":
				inside = inside && c.Value.Known == stats.KnownAll && c.Value.High < c.Limit && c.Value.Low > 1/(1+c.Limit)-1
			case "log_loss_increase", "coverage_drop", "success_drop", "p99_increase":
				inside = inside && c.Value.HasHigh() && c.Value.High < c.Limit && c.Value.Status == stats.OK
			}
			if !inside {
				t.Fatalf("go with %+v", c)
			}
		}
		l, one := gate.Checks[0], e.Arms[0].LogLossIncrease
		for _, c := range gate.Checks {
			if c.Name == "log_loss_increase" {
				l = c
			}
		}
		if !(l.Value.High-l.Value.Value > 1.4*(one.High-one.Value)) {
			t.Fatalf("the interval for all looks, %+v, is hardly wider than %+v for one", l.Value, one)
		}
	}
	if seen < 50 {
		t.Errorf("go was drawn %d times only", seen)
	}
}

// Take any number that a guardrail needs from evidence for go, and it is go no more.
func TestMissingNumbersAreNeverGo(t *testing.T) {
	numbers := func(a *diagnosis.Arm) map[string]func(change func(*stats.Estimate)) {
		in := func(m *map[string]stats.Estimate, key string) func(func(*stats.Estimate)) {
			return func(change func(*stats.Estimate)) {
				v := (*m)[key]
				change(&v)
				(*m)[key] = v
			}
		}
		plain := func(e *stats.Estimate) func(func(*stats.Estimate)) {
			return func(change func(*stats.Estimate)) { change(e) }
		}
		return map[string]func(func(*stats.Estimate)){
			"calibration": plain(&a.CalibrationRatio), "candidate calibration": plain(&a.CandidateCalibrationRatio), "log loss": plain(&a.LogLossIncrease),
			"coverage": in(&a.CoverageDifference, "user"), "success": in(&a.SuccessDifference, "query"), "p99": in(&a.P99Ratio, "query"),
		}
	}
	losses := map[string]func(*stats.Estimate){
		"all":     func(e *stats.Estimate) { *e = stats.Estimate{} },
		"value":   func(e *stats.Estimate) { e.Known &^= stats.KnownValue },
		"count":   func(e *stats.Estimate) { e.N, e.Effective = 0, 0 },
		"NaN":     func(e *stats.Estimate) { e.Value = math.NaN() },
		"no band": func(e *stats.Estimate) { e.Known &^= stats.KnownLow | stats.KnownHigh },
	}
	for s := range stats.PredictionMissing + 1 {
		if s != stats.OK {
			losses["status "+s.String()] = func(e *stats.Estimate) { e.Status = s }
		}
	}
	try := func(name string, change func(e *diagnosis.Evidence, a *diagnosis.Arm)) {
		e := healthy()
		change(&e, &e.Arms[0])
		if gate := diagnosis.Worst(diagnosis.Decide(e, diagnosis.DefaultGuardrails())); gate.Decision == diagnosis.Go || len(gate.Reasons) == 0 {
			t.Errorf("%s: %s: %v", name, gate.Decision, gate.Reasons)
		} else if _, err := json.Marshal(gate); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for what := range numbers(&diagnosis.Arm{}) {
		for how, loss := range losses {
			try(what+" without "+how, func(_ *diagnosis.Evidence, a *diagnosis.Arm) { numbers(a)[what](loss) })
		}
	}
	for name, change := range map[string]func(e *diagnosis.Evidence, a *diagnosis.Arm){
		"families":            func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.CoverageDifference = nil },
		"towers":              func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.SuccessDifference = nil },
		"latencies":           func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.P99Ratio = nil },
		"conversions":         func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.Conversions = math.NaN() },
		"control conversions": func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.ControlConversions = 0 },
		"newest":              func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.NewestMs = 0 },
		"control's newest":    func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.ControlNewestMs = 0 },
		"since":               func(_ *diagnosis.Evidence, a *diagnosis.Arm) { a.SinceMs = 0 },
		"alerts":              func(e *diagnosis.Evidence, _ *diagnosis.Arm) { e.Alerts = nil },
		"arms":                func(e *diagnosis.Evidence, _ *diagnosis.Arm) { e.Arms = nil },
		"control":             func(e *diagnosis.Evidence, _ *diagnosis.Arm) { e.ControlSeen = false },
		"everything":          func(_ *diagnosis.Evidence, a *diagnosis.Arm) { *a = diagnosis.Arm{} },
	} {
		try(name, change)
	}
}
