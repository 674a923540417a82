package exposition

import (
	"slices"

	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// Names of the experiment gauges.
const (
	calibrationName      = "rampgauge_calibration_ratio"
	calibrationLowName   = "rampgauge_calibration_ratio_low"
	calibrationHighName  = "rampgauge_calibration_ratio_high"
	logMAEName           = "rampgauge_log_mae"
	logLossName          = "rampgauge_log_loss"
	entropyName          = "rampgauge_normalized_entropy"
	coverageName         = "rampgauge_feature_coverage_ratio"
	versionName          = "rampgauge_embedding_version_ratio"
	skewName             = "rampgauge_embedding_skew_ratio"
	successName          = "rampgauge_serving_success_ratio"
	latencyName          = "rampgauge_serving_latency_seconds"
	funnelName           = "rampgauge_funnel_candidates"
	maturityName         = "rampgauge_label_maturity_ratio"
	windowCandidatesName = "rampgauge_window_candidates"
	windowWinnersName    = "rampgauge_window_winners"
	windowLabelsName     = "rampgauge_window_conversions"
)

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
	return []telemetry.Descriptor{
		{Name: calibrationName, Type: "gauge", Labels: []string{"population"},
			Help: "Sum of predictions over sum of labels (winners), or of references (candidates, those that have one)."},
		{Name: calibrationLowName, Type: "gauge", Labels: []string{"population"},
			Help: "Lower bound of the 95 % interval of rampgauge_calibration_ratio."},
		{Name: calibrationHighName, Type: "gauge", Labels: []string{"population"},
			Help: "Upper bound of the 95 % interval of rampgauge_calibration_ratio; absent without a label."},
		{Name: logMAEName, Type: "gauge",
			Help: "Mean absolute difference of the natural logarithms of prediction and reference, over candidates."},
		{Name: logLossName, Type: "gauge",
			Help: "Mean log loss of winners against their labels, natural logarithm."},
		{Name: entropyName, Type: "gauge",
			Help: "Log loss over the entropy of the mean label, of winners."},
		{Name: coverageName, Type: "gauge", Labels: []string{"family"},
			Help: "Share of candidates with the feature family present, among those whose auction lists it."},
		{Name: versionName, Type: "gauge", Labels: []string{"version"},
			Help: "Share of scored pairs by item embedding version."},
		{Name: skewName, Type: "gauge", Labels: []string{"distance"},
			Help: "Share of scored pairs by distance between query and item embedding version, among pairs whose versions differ in a trailing number only."},
		{Name: successName, Type: "gauge", Labels: []string{"tower"},
			Help: "Share of tower calls that succeeded."},
		// Untyped because a gauge may not have a label named quantile, and a
		// summary would promise a cumulative count and sum.
		{Name: latencyName, Type: "untyped", Labels: []string{"tower", "quantile"},
			Help: "Quantiles of the latency of tower calls."},
		{Name: funnelName, Type: "gauge", Labels: []string{"stage"},
			Help: "Candidates that reached the funnel stage."},
		{Name: maturityName, Type: "gauge",
			Help: "Share of winners whose attribution window has closed."},
		{Name: windowCandidatesName, Type: "gauge",
			Help: "Candidates in the window: the n of what is about candidates."},
		{Name: windowWinnersName, Type: "gauge",
			Help: "Winners in the window: the n of what is about winners."},
		{Name: windowLabelsName, Type: "gauge",
			Help: "Winners in the window whose label is 1."},
	}
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
