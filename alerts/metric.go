package alerts

// Metric is what a rule watches.
type Metric string

// The metrics, and what the least effect of a rule on them means.
const (
	// MetricCalibration is Σy/Σp of winners, by labels. Effect: relative.
	MetricCalibration Metric = "calibration"
	// MetricCandidateCalibration is Σp/Σr of candidates. Effect: relative.
	MetricCandidateCalibration Metric = "candidate_calibration"
	// MetricLogMAE is the mean |ln p − ln r| of candidates. Effect: relative.
	MetricLogMAE Metric = "log_mae"
	// MetricLogLoss is the log loss of winners whose labels are complete. Effect: relative.
	MetricLogLoss Metric = "log_loss"
	// MetricCoverage is the share of candidates that have a feature family. Effect: a difference of shares.
	MetricCoverage Metric = "coverage"
	// MetricVersionSkew is the share of scored pairs whose embedding versions differ. Effect: a difference.
	MetricVersionSkew Metric = "version_skew"
	// MetricServingSuccess is the share of calls to a tower that succeeded. Effect: a difference.
	MetricServingSuccess Metric = "serving_success"
	// MetricServingP99 is the 0.99 quantile of a tower's latency. Effect: relative.
	MetricServingP99 Metric = "serving_p99"
	// MetricStage is the share of candidates that reached a funnel stage, by stage
	// and optimization type. Effect: a difference.
	MetricStage Metric = "stage"
	// MetricCandidates is the number of candidates an auction, by optimization
	// type. Effect: relative.
	MetricCandidates Metric = "candidates"
	// MetricSampleRatio is the ratio of units first exposed to each arm. It has no
	// effect, but its own error probability.
	MetricSampleRatio Metric = "sample_ratio"
	// MetricConversionDelay is the share of conversions that come early. Effect: a difference.
	MetricConversionDelay Metric = "conversion_delay"
	// MetricUnmatched is the share of records of a topic that found no partner, of
	// the whole service. Effect: the share itself.
	MetricUnmatched Metric = "unmatched"
	// MetricNoData is the time since the newest event of an experiment. Effect: seconds.
	MetricNoData Metric = "no_data"
	// MetricWatermark is how far event time stands behind the clock while records
	// come. Effect: seconds.
	MetricWatermark Metric = "watermark"
	// MetricLag is the number of records not yet read. Effect: records.
	MetricLag Metric = "consumer_lag"
)

// kind is how a metric is tested.
type kind uint8

const (
	kindShare     kind = iota // a difference of shares
	kindMean                  // a difference of means, in units of the reference's mean
	kindLogMean               // a difference of logarithms
	kindCount                 // a ratio of counts to what was expected
	kindQuantile              // a ratio of quantiles
	kindUnits                 // the sample ratio
	kindThreshold             // a number of the service against a limit
)

type metricInfo struct {
	metric   Metric
	kind     kind
	against  []Against // allowed; the first is the default
	harm     Direction // the direction that is bad
	relative bool      // the effect is relative
	unit     string    // of a threshold
	keyed    string    // what a key names
}

var metrics = []metricInfo{
	{MetricCalibration, kindCount, []Against{Control, Level}, Either, true, "", ""},
	{MetricCandidateCalibration, kindLogMean, []Against{Control, Past, Level}, Either, true, "", ""},
	{MetricLogMAE, kindMean, []Against{Control, Past}, Up, true, "", ""},
	{MetricLogLoss, kindMean, []Against{Control, Past}, Up, true, "", ""},
	{MetricCoverage, kindShare, []Against{Control, Past, Baseline, Level}, Down, false, "", "feature family"},
	{MetricVersionSkew, kindShare, []Against{Control, Past, Level}, Up, false, "", ""},
	{MetricServingSuccess, kindShare, []Against{Control, Past, Level}, Down, false, "", "tower"},
	{MetricServingP99, kindQuantile, []Against{Control}, Up, true, "", "tower"},
	{MetricStage, kindShare, []Against{Control, Past}, Either, false, "", "stage"},
	{MetricCandidates, kindCount, []Against{Control}, Either, true, "", "optimization type"},
	{MetricSampleRatio, kindUnits, []Against{Control}, Either, false, "", ""},
	{MetricConversionDelay, kindShare, []Against{Control}, Either, false, "", ""},
	{MetricUnmatched, kindThreshold, []Against{Limit}, Up, false, "ratio", "topic"},
	{MetricNoData, kindThreshold, []Against{Limit}, Up, false, "seconds", ""},
	{MetricWatermark, kindThreshold, []Against{Limit}, Up, false, "seconds", ""},
	{MetricLag, kindThreshold, []Against{Limit}, Up, false, "records", ""},
}

// info is what is known of a metric.
func (m Metric) info() (metricInfo, bool) {
	for _, i := range metrics {
		if i.metric == m {
			return i, true
		}
	}
	return metricInfo{}, false
}

// Metrics lists all metrics, in the order of their documentation.
func Metrics() []Metric {
	out := make([]Metric, len(metrics))
	for i := range metrics {
		out[i] = metrics[i].metric
	}
	return out
}
