package exposition

import (
	"slices"

	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// Names of the experiment gauges that have no interval here.
const (
	versionName          = "rampgauge_embedding_version_ratio"
	skewName             = "rampgauge_embedding_skew_ratio"
	latencyName          = "rampgauge_serving_latency_seconds"
	funnelName           = "rampgauge_funnel_candidates"
	windowCandidatesName = "rampgauge_window_candidates"
	windowWinnersName    = "rampgauge_window_winners"
	windowLabelsName     = "rampgauge_window_conversions"
)

// Names of those that have one.
var (
	calibration = namesOf("rampgauge_calibration_ratio")
	adjusted    = namesOf("rampgauge_calibration_adjusted_ratio")
	maturity    = namesOf("rampgauge_label_maturity_ratio")
	logMAE      = namesOf("rampgauge_log_mae")
	logLoss     = namesOf("rampgauge_log_loss")
	entropy     = namesOf("rampgauge_normalized_entropy")
	auc         = namesOf("rampgauge_auc_ratio")
	coverage    = namesOf("rampgauge_feature_coverage_ratio")
	success     = namesOf("rampgauge_serving_success_ratio")
)

// names are those of an estimate's gauges. The one for its status has the
// estimate's name and labels, so that PromQL finds what can be used without
// naming a label: value and value_ok == 1.
type names struct{ value, low, high, ok string }

func namesOf(value string) names { return names{value, value + "_low", value + "_high", value + "_ok"} }

// Names of the service's metrics that are read at scrape time.
const (
	unmatchedName = "rampgauge_join_unmatched_ratio"
	lagName       = "rampgauge_consumer_lag_records"
	watermarkName = "rampgauge_watermark_timestamp_seconds"
	droppedName   = "rampgauge_series_dropped_total"
	memoryName    = "rampgauge_join_memory_bytes"
	stateName     = "rampgauge_state_disk_bytes"
	overDiskName  = "rampgauge_state_over_budget"
	buildName     = "rampgauge_build_info"
)

// cellLabels are on every experiment gauge, before the dimensions of its slice.
var cellLabels = []string{"experiment", "arm", "ramp_percent", "window"}

// experimentDescriptors lists the gauges of the experiments. Labels are those
// beyond cellLabels.
func experimentDescriptors() []telemetry.Descriptor {
	return slices.Concat(
		estimated(calibration, "Sum of predictions over sum of labels (winners), or of references (candidates, those that have one).", "population"),
		estimated(adjusted, "Sum of predictions, each times the share of its conversions that has had time to come, over sum of labels, of winners: what rampgauge_calibration_ratio comes to once labels are complete."),
		estimated(maturity, "Share of the winners' predicted conversions that has had time to come, by delay curves learned from the stream; where none is known yet, that of winners whose attribution window has closed."),
		estimated(logMAE, "Mean absolute difference of the natural logarithms of prediction and reference, over candidates."),
		estimated(logLoss, "Mean log loss of winners against their labels, natural logarithm."),
		estimated(entropy, "Log loss over the entropy of the mean label, of winners."),
		estimated(auc, "Area under the ROC curve of the predictions of winners: the share of pairs of a winner with label 1 and one with label 0 in which the first has the higher prediction."),
		limited(coverage, "Share of candidates with the feature family present, among those whose auction lists it.", "family"),
		[]telemetry.Descriptor{
			{Name: versionName, Type: "gauge", Labels: []string{"version"},
				Help: "Share of scored pairs by item embedding version."},
			{Name: skewName, Type: "gauge", Labels: []string{"distance"},
				Help: "Share of scored pairs by distance between query and item embedding version, among pairs whose versions differ in a trailing number only."},
		},
		limited(success, "Share of tower calls that succeeded.", "tower"),
		[]telemetry.Descriptor{
			// Untyped because a gauge may not have a label named quantile, and a
			// summary would promise a cumulative count and sum.
			{Name: latencyName, Type: "untyped", Labels: []string{"tower", "quantile"},
				Help: "Quantiles of the latency of tower calls."},
			{Name: funnelName, Type: "gauge", Labels: []string{"stage"},
				Help: "Candidates that reached the funnel stage."},
			{Name: windowCandidatesName, Type: "gauge",
				Help: "Candidates in the window: the n of what is about candidates."},
			{Name: windowWinnersName, Type: "gauge",
				Help: "Winners in the window: the n of what is about winners."},
			{Name: windowLabelsName, Type: "gauge",
				Help: "Winners in the window whose label is 1."},
		},
	)
}

// limited describes a gauge with its interval, of a share that can be used
// whenever it is known.
func limited(n names, help string, labels ...string) []telemetry.Descriptor {
	return []telemetry.Descriptor{
		{Name: n.value, Type: "gauge", Labels: labels, Help: help},
		{Name: n.low, Type: "gauge", Labels: labels, Help: "Lower limit of the 95 % interval of " + n.value + "."},
		{Name: n.high, Type: "gauge", Labels: labels, Help: "Upper limit of the 95 % interval of " + n.value + "."},
	}
}

// estimated describes a gauge with its interval and whether they can be used.
func estimated(n names, help string, labels ...string) []telemetry.Descriptor {
	return append(limited(n, help, labels...), telemetry.Descriptor{
		Name: n.ok, Type: "gauge", Labels: labels,
		Help: "1 where the status of " + n.value + " in the API is ok, 0 where it says why the number cannot be used as it is.",
	})
}

// serviceDescriptors lists what is read from the running service at a scrape.
func serviceDescriptors() []telemetry.Descriptor {
	return []telemetry.Descriptor{
		{Name: unmatchedName, Type: "gauge", Labels: []string{"topic"},
			Help: "Share of settled records that found no partner in the join; of the whole stream, since such a record belongs to no experiment."},
		{Name: lagName, Type: "gauge", Labels: []string{"topic", "partition"},
			Help: "Records on the topic that are not in the numbers yet."},
		{Name: watermarkName, Type: "gauge",
			Help: "Newest event time in the numbers; absent before the first event."},
		{Name: droppedName, Type: "counter",
			Help: "Series that the series budget has cut."},
		{Name: memoryName, Type: "gauge",
			Help: "What the join of all partitions here holds in memory; its budget is join.memory."},
		{Name: stateName, Type: "gauge",
			Help: "What the states of all partitions here take on disk; their budget is state.max_disk."},
		{Name: overDiskName, Type: "gauge",
			Help: "1 while no records are read because the states take more than state.max_disk, else 0."},
		{Name: buildName, Type: "gauge", Labels: []string{"version", "revision", "goversion"},
			Help: "Always 1; what was built is in the labels."},
	}
}

// Labels lists every label name that metrics of experiments can carry of their
// own: no dimension may be named like one of them.
func Labels() []string {
	names := slices.Clone(cellLabels)
	for _, d := range experimentDescriptors() {
		names = append(names, d.Labels...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
