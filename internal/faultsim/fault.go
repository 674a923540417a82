package faultsim

import (
	"fmt"
	"strings"
)

// Fault is something that happens to a world.
type Fault int

// The faults, in the order of the table.
const (
	Duplicate Fault = iota
	Disorder
	DaysLate
	CompactedGap
	ControlGap
	CrashAtWrite
	CrashAnywhere
	TornWrite
	LostWrites
	SyncError
	Rebalance
	RebalanceInCommit
	ZombieCommit
	ZombiePublish
	ZombieUpload
	LatePublish
	CutPublish
	Fenced
	LostDisk
	Restored
	Replayed
	UploadFailed
	CrashInUpload
	StaleManifest
	DamagedObject
	StaleState
	Sought
	SeekFailed
	TopicCompacted
	TombstonesDropped
	ReaderRestarted
	Corrected
	numFaults
)

var faultNames = [numFaults]string{
	Duplicate:         "record written twice",
	Disorder:          "record out of order",
	DaysLate:          "record more than a day late",
	CompactedGap:      "gap of compacted offsets",
	ControlGap:        "gap of a control batch",
	CrashAtWrite:      "crash at a write or sync",
	CrashAnywhere:     "crash between writes",
	TornWrite:         "write torn by a crash",
	LostWrites:        "crash that loses unsynced writes",
	SyncError:         "fsync error",
	Rebalance:         "rebalance",
	RebalanceInCommit: "rebalance in mid-commit",
	ZombieCommit:      "commit of a zombie",
	ZombiePublish:     "pane published by a zombie",
	ZombieUpload:      "checkpoint tried by a zombie",
	LatePublish:       "pane published after its owner is gone",
	CutPublish:        "panes stored, not all published",
	Fenced:            "owner found fenced",
	LostDisk:          "disk lost",
	Restored:          "state restored from a checkpoint",
	Replayed:          "state rebuilt by replay",
	UploadFailed:      "upload failed",
	CrashInUpload:     "crash during an upload",
	StaleManifest:     "manifests listed late",
	DamagedObject:     "object of a checkpoint damaged",
	StaleState:        "partition taken up with an older state of its own",
	Sought:            "late record sought in the topic",
	SeekFailed:        "reading the topic again failed",
	TopicCompacted:    "panes topic compacted",
	TombstonesDropped: "tombstone dropped",
	ReaderRestarted:   "reader started from the beginning",
	Corrected:         "stale pane corrected",
}

// String is the fault in words.
func (f Fault) String() string { return faultNames[f] }

// Faults says how often each Fault happened.
type Faults [numFaults]int64

// Add adds those of another world.
func (f *Faults) Add(o *Faults) {
	for i := range f {
		f[i] += o[i]
	}
}

// Table is one line a Fault.
func (f *Faults) Table() string {
	var b strings.Builder
	for i, n := range f {
		fmt.Fprintf(&b, "%10d  %s\n", n, Fault(i))
	}
	return b.String()
}
