package telemetry

const (
	recordsName       = "rampgauge_records_total"
	deadName          = "rampgauge_dead_letters_total"
	unmatchedName     = "rampgauge_unmatched_records_total"
	candidatesName    = "rampgauge_candidates_total"
	expiredName       = "rampgauge_expired_events_total"
	evictedEarlyName  = "rampgauge_join_early_evictions_total"
	eventToMetricName = "rampgauge_event_to_metric_seconds"

	checkpointsName     = "rampgauge_checkpoints_total"
	checkpointBytesName = "rampgauge_checkpoint_sent_bytes_total"
)

// Descriptor describes one metric family: what its text in the exposition and
// in the reference says.
type Descriptor struct {
	Name   string
	Type   string // counter, gauge, histogram or untyped
	Labels []string
	Help   string
}

// Descriptors lists the families of Counters.
func Descriptors() []Descriptor {
	return []Descriptor{
		{recordsName, "counter", []string{"topic", "outcome"},
			"Records by stream and outcome since the start; consumed counts all of them, each other outcome a part."},
		{deadName, "counter", []string{"topic", "reason"},
			"Records refused and sent to the dead letters, by reason."},
		{unmatchedName, "counter", []string{"topic", "reason"},
			"Records whose horizon passed without the record that they belong to, by what was missing."},
		{candidatesName, "counter", nil,
			"Candidates taken into the numbers."},
		{expiredName, "counter", nil,
			"Auctions, winners and changes of a winner's label or value that are in no number, because their pane is older than aggregation.retention; once for each experiment of the auction."},
		{evictedEarlyName, "counter", nil,
			"Time buckets of auctions dropped while impressions could still come for them, because join.memory is used up; what comes is found by reading their topic again."},
		{eventToMetricName, "histogram", nil,
			"Time from an event to the numbers that queries see: of each commit, that of the first and of the newest event that are newer than all before."},
		{checkpointsName, "counter", []string{"outcome"},
			"Checkpoints of partitions' states, made and failed; none are made without state.checkpoint.url."},
		{checkpointBytesName, "counter", nil,
			"Bytes sent for the checkpoints that were made: what had changed since the one before."},
	}
}
