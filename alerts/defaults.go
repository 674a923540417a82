package alerts

import "time"

// runbooks is where the runbook of a default rule is.
const runbooks = "https://github.com/rampgauge/rampgauge/blob/main/docs/runbooks.md#"

// DefaultRules are in force where no rule of the same name replaces them. They
// need no configuration: what they compare with is the control arm, the arm's
// own past or, where the experiment has one, its offline profile.
func DefaultRules() []Rule {
	rules := []Rule{
		{Name: "sample-ratio", Metric: MetricSampleRatio, Severity: Critical, Summary: "units do not come in the shares that the ramp gives"},
		{Name: "calibration-vs-control", Metric: MetricCalibration, Effect: 0.1, Window: 10 * time.Minute, KeepFiring: 30 * time.Minute, Severity: Critical, Summary: "calibration differs from control"},
		{Name: "calibration-level", Metric: MetricCalibration, Against: Level, Effect: 0.5, Tolerance: 0.4, Window: 10 * time.Minute, KeepFiring: 30 * time.Minute, Severity: Warning, Summary: "calibration is off"},
		{Name: "candidate-calibration-vs-control", For: 30 * time.Second, Metric: MetricCandidateCalibration, Effect: 0.1, Severity: Critical, Summary: "calibration of candidates against the reference differs from control"},
		{Name: "candidate-calibration-shift", For: 30 * time.Second, Metric: MetricCandidateCalibration, Against: Past, Effect: 0.1, Severity: Warning, Summary: "calibration of candidates against the reference has moved"},
		{Name: "log-mae-vs-control", For: 30 * time.Second, Metric: MetricLogMAE, Effect: 0.1, Severity: Warning, Summary: "predictions are farther from the reference than control's"},
		{Name: "log-loss-vs-control", Metric: MetricLogLoss, Effect: 0.05, Window: 10 * time.Minute, KeepFiring: 30 * time.Minute, Severity: Warning, Summary: "log loss is above control's"},
		{Name: "coverage-vs-control", Metric: MetricCoverage, Effect: 0.05, Severity: Critical, Summary: "feature family is missing, and is not in control"},
		{Name: "coverage-vs-offline", Metric: MetricCoverage, Against: Baseline, Effect: 0.05, Severity: Warning, Summary: "feature family is missing that offline evaluation had"},
		{Name: "coverage-drop", Metric: MetricCoverage, Against: Past, Effect: 0.1, Severity: Critical, Summary: "feature family has gone missing"},
		{Name: "version-skew", Metric: MetricVersionSkew, Effect: 0.1, Severity: Warning, Summary: "query and item embeddings of different versions meet more often than in control"},
		{Name: "version-skew-rise", Metric: MetricVersionSkew, Against: Past, Effect: 0.2, Severity: Warning, Summary: "query and item embeddings of different versions meet more often than before"},
		{Name: "serving-success", Metric: MetricServingSuccess, Effect: 0.005, Severity: Critical, Summary: "calls fail more often than in control"},
		{Name: "serving-success-drop", Metric: MetricServingSuccess, Against: Past, Effect: 0.02, Severity: Critical, Summary: "calls have begun to fail"},
		{Name: "serving-p99", Metric: MetricServingP99, Effect: 0.2, Severity: Warning, Summary: "the slowest calls are slower than control's"},
		{Name: "funnel-stage", Metric: MetricStage, Effect: 0.05, Severity: Warning, Summary: "another share of candidates than in control reaches a stage"},
		{Name: "funnel-candidates", Metric: MetricCandidates, Effect: 0.1, Severity: Warning, Summary: "another number of candidates than in control is scored"},
		{Name: "conversion-delay", Metric: MetricConversionDelay, Effect: 0.1, Window: 10 * time.Minute, KeepFiring: 30 * time.Minute, Severity: Warning, Summary: "conversions take another time than control's"},
		{Name: "join-health", Metric: MetricUnmatched, Effect: 0.05, For: 5 * time.Minute, Severity: Warning, Summary: "records find no partner"},
		{Name: "no-data", Metric: MetricNoData, Effect: 600, For: time.Minute, Severity: Critical, Summary: "no auction of the experiment has come"},
		{Name: "watermark", Metric: MetricWatermark, Effect: 300, For: 2 * time.Minute, Severity: Warning, Summary: "event time stands still while records come"},
		{Name: "consumer-lag", Metric: MetricLag, Effect: 1e6, For: 5 * time.Minute, Severity: Warning, Summary: "records come faster than they are read"},
	}
	for i := range rules {
		rules[i].Runbook = runbooks + rules[i].Name
		rules[i] = rules[i].withDefaults()
	}
	return rules
}

// Merge returns the default rules with those of the same name replaced, and the
// others behind them.
func Merge(rules []Rule) []Rule {
	out := DefaultRules()
	for _, r := range rules {
		r = r.withDefaults()
		found := false
		for i := range out {
			if out[i].Name == r.Name {
				out[i], found = r, true
			}
		}
		if !found {
			out = append(out, r)
		}
	}
	return out
}
