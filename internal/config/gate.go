package config

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/diagnosis"
)

// Gate says what has to hold before a ramp may go on. A limit of 0 switches its
// guardrail off.
type Gate struct {
	// Conversions that each arm needs since the last ramp step, counted as
	// independent ones of equal weight.
	MinConversions float64 `yaml:"min_conversions"`
	// Time at the present share of the traffic.
	MinTime time.Duration `yaml:"min_time"`
	// How far the calibration of winners may be from control's: between 1/(1+limit)
	// and 1+limit times. Go needs the whole interval inside, rollback all of it
	// outside; so with the limits below.
	MaxCalibrationShift float64 `yaml:"max_calibration_shift"`
	// The same of candidates against the reference. 0 where predictions carry none.
	MaxCandidateCalibrationShift float64 `yaml:"max_candidate_calibration_shift"`
	// How much the log loss of winners may be above control's, relative.
	MaxLogLossIncrease float64 `yaml:"max_log_loss_increase"`
	// How much less of the candidates than in control may have a feature family, a
	// difference of shares. 0 where predictions list none.
	MaxCoverageDrop float64 `yaml:"max_coverage_drop"`
	// How much less of the calls to a tower than in control may succeed, a
	// difference of shares. 0 where predictions report no calls.
	MaxSuccessDrop float64 `yaml:"max_success_drop"`
	// How much the 0.99 quantile of a tower's latency may be above control's,
	// relative. 0 where predictions report no calls.
	MaxP99Increase float64 `yaml:"max_p99_increase"`
	// Age of the newest auction of either arm.
	MaxDataAge time.Duration `yaml:"max_data_age"`
	// Records that may be on the topics and not in the numbers.
	MaxLag int `yaml:"max_lag"`
	// Whether go needs a sample ratio that was judged and is right. One that is
	// wrong holds the ramp in any case.
	RequireSampleRatio bool `yaml:"require_sample_ratio"`
	// Severities at which a firing alert about an arm means rollback. At others it
	// means hold.
	RollbackOn []alerts.Severity `yaml:"rollback_on"`
}

// defaultGate is what the gate asks for where nothing is configured.
func defaultGate() Gate {
	g := diagnosis.DefaultGuardrails()
	return Gate{
		MinConversions: g.MinConversions, MinTime: g.MinTime,
		MaxCalibrationShift: g.MaxCalibrationShift, MaxCandidateCalibrationShift: g.MaxCandidateCalibrationShift,
		MaxLogLossIncrease: g.MaxLogLossIncrease, MaxCoverageDrop: g.MaxCoverageDrop, MaxSuccessDrop: g.MaxSuccessDrop, MaxP99Increase: g.MaxP99Increase,
		MaxDataAge: g.MaxDataAge, MaxLag: int(g.MaxLag), RequireSampleRatio: g.RequireSampleRatio, RollbackOn: g.RollbackOn,
	}
}

// Guardrails is g as the gate takes it.
func (g Gate) Guardrails() diagnosis.Guardrails {
	return diagnosis.Guardrails{
		MinConversions: g.MinConversions, MinTime: g.MinTime,
		MaxCalibrationShift: g.MaxCalibrationShift, MaxCandidateCalibrationShift: g.MaxCandidateCalibrationShift,
		MaxLogLossIncrease: g.MaxLogLossIncrease, MaxCoverageDrop: g.MaxCoverageDrop, MaxSuccessDrop: g.MaxSuccessDrop, MaxP99Increase: g.MaxP99Increase,
		MaxDataAge: g.MaxDataAge, MaxLag: int64(g.MaxLag), RequireSampleRatio: g.RequireSampleRatio, RollbackOn: slices.Clone(g.RollbackOn),
	}
}

// Guardrails is what the gate of an experiment asks for: its own keys, and those
// of all experiments for the rest.
func (c *Config) Guardrails(experiment string) diagnosis.Guardrails {
	for _, e := range c.Experiments {
		if e.Name == experiment {
			return e.Gate.Guardrails()
		}
	}
	return c.Gate.Guardrails()
}

// inheritGate gives each experiment the keys of gate that it does not give itself.
// It comes after the check, which would report them once an experiment.
func (d *decoder) inheritGate(c *Config) {
	all := reflect.ValueOf(c.Gate)
	for i := range c.Experiments {
		own := reflect.ValueOf(&c.Experiments[i].Gate).Elem()
		for k := range all.NumField() {
			key, _ := tagKey(all.Type().Field(k))
			if _, given := d.at[fmt.Sprintf("experiments[%d].gate.%s", i, key)]; !given {
				own.Field(k).Set(all.Field(k))
			}
		}
	}
}

func (d *decoder) gates(c *Config) {
	d.gate("gate", c.Gate)
	for i, e := range c.Experiments {
		d.gate(fmt.Sprintf("experiments[%d].gate", i), e.Gate)
	}
}

func (d *decoder) gate(path string, g Gate) {
	atLeast0 := func(key string, v float64) {
		d.require(v >= 0, path+"."+key, "%g is out of range; want 0 to switch it off, or more", v)
	}
	shares := func(key string, v float64) {
		d.require(v >= 0 && v <= 1, path+"."+key, "%g is out of range; want a share from 0, which switches it off, to 1", v)
	}
	atLeast0("min_conversions", g.MinConversions)
	d.between(path+".min_time", g.MinTime, 0, 90*24*time.Hour)
	atLeast0("max_calibration_shift", g.MaxCalibrationShift)
	atLeast0("max_candidate_calibration_shift", g.MaxCandidateCalibrationShift)
	atLeast0("max_log_loss_increase", g.MaxLogLossIncrease)
	shares("max_coverage_drop", g.MaxCoverageDrop)
	shares("max_success_drop", g.MaxSuccessDrop)
	atLeast0("max_p99_increase", g.MaxP99Increase)
	d.between(path+".max_data_age", g.MaxDataAge, 0, 30*24*time.Hour)
	atLeast0("max_lag", float64(g.MaxLag))
	for i, s := range g.RollbackOn {
		p := fmt.Sprintf("%s.rollback_on[%d]", path, i)
		d.oneOf(p, string(s), string(alerts.Critical), string(alerts.Warning), string(alerts.Info))
		d.require(!slices.Contains(g.RollbackOn[:i], s), p, "%q is repeated", s)
	}
}
