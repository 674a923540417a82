package alerts

// Phase is where an alert stands.
type Phase string

// Phases. Waiting is when there is too little to judge by, or when the sample
// ratio is wrong, so that no comparison means anything; it is never good news.
const (
	Waiting  Phase = "waiting"
	Inactive Phase = "inactive"
	Pending  Phase = "pending"
	Firing   Phase = "firing"
	Resolved Phase = "resolved"
)

// Alert is one rule about one arm and subject, as the API shows it.
type Alert struct {
	Key        string   `json:"key"`
	Rule       string   `json:"rule"`
	Metric     Metric   `json:"metric"`
	Experiment string   `json:"experiment"`
	Arm        string   `json:"arm,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	Phase      Phase    `json:"phase"`
	Severity   Severity `json:"severity"`
	Summary    string   `json:"summary"`
	// Value is the effect as it is now, in the units of the rule's effect, with its
	// 95 % limits; Known says whether there is one.
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Known bool    `json:"known"`
	// N is how many clusters Value is from.
	N float64 `json:"n"`
	// LogE is the evidence in nats, of Needed.
	LogE   float64 `json:"log_e"`
	Needed float64 `json:"needed"`
	// SinceMs is when the change is thought to have been, ActiveMs when the alert
	// became pending, FiredMs and ResolvedMs when it did so; event time, 0: not.
	SinceMs    int64         `json:"since_ms,omitempty"`
	ActiveMs   int64         `json:"active_ms,omitempty"`
	FiredMs    int64         `json:"fired_ms,omitempty"`
	ResolvedMs int64         `json:"resolved_ms,omitempty"`
	Slices     []SliceEffect `json:"slices,omitempty"` // the worst, if any stands out
	Why        string        `json:"why,omitempty"`    // of Waiting
	Runbook    string        `json:"runbook,omitempty"`
}

// SliceEffect is a slice that takes part in what an alert is about.
type SliceEffect struct {
	Slice string  `json:"slice"`
	Value float64 `json:"value"` // as Alert.Value
	LogE  float64 `json:"log_e"`
}
