package alerts

import (
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"time"
)

// Action is what a notification asks of a receiver.
type Action string

// Actions.
const (
	Trigger Action = "trigger"
	Resolve Action = "resolve"
	// Change tells of a step of the ramp, a start, a stop or a roll-back: nobody is
	// paged for it.
	Change Action = "change"
)

// Notification is one thing to be told. It is complete in itself: a receiver
// needs nothing else to write its message.
type Notification struct {
	// Sequence counts the notifications of an experiment, from 1. The same
	// notification has the same one after a restart and at another owner.
	Sequence uint64 `json:"sequence"`
	Action   Action `json:"action"`
	// Key names the alert, the same from trigger to resolve; see Key.
	Key        string   `json:"key"`
	Experiment string   `json:"experiment"`
	Owner      string   `json:"owner,omitempty"` // of the experiment, as configured
	Arm        string   `json:"arm,omitempty"`
	Rule       string   `json:"rule,omitempty"`
	Subject    string   `json:"subject,omitempty"` // the family, tower, stage or topic
	Severity   Severity `json:"severity,omitempty"`
	// Summary is one line that says what is wrong, with numbers.
	Summary     string    `json:"summary"`
	RampPercent float64   `json:"ramp_percent"`
	SinceMs     int64     `json:"since_ms,omitempty"` // when it is thought to have begun, event time
	AtMs        int64     `json:"at_ms"`              // event time of the decision
	DecidedAt   time.Time `json:"decided_at"`         // by the clock
	Details     []Detail  `json:"details,omitempty"`  // in the order to be shown
	Runbook     string    `json:"runbook,omitempty"`
}

// Detail is one number or remark of a notification.
type Detail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// maxKey is the longest deduplication key that PagerDuty takes.
const maxKey = 255

// Key names an alert among all receivers: rampgauge/experiment/arm/rule and, if
// it has one, /subject. A longer one than 255 bytes ends in a hash of the whole.
// Neither the window nor the step of the ramp is in it: each would page anew.
func Key(experiment, arm, rule, subject string) string {
	key := "rampgauge/" + experiment + "/" + arm + "/" + rule
	if subject != "" {
		key += "/" + subject
	}
	if len(key) <= maxKey {
		return key
	}
	h := fnv.New128a()
	_, _ = h.Write([]byte(key))
	sum := hex.EncodeToString(h.Sum(nil))
	return key[:maxKey-len(sum)-1] + "-" + sum
}

// Percent formats a ramp share as people write it, such as 20 or 0.5.
func Percent(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
