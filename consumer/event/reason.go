package event

import "fmt"

var reasonNames = [NumReasons]string{
	ReasonNone:                "none",
	ReasonMalformed:           "malformed",
	ReasonUnknownField:        "unknown_field",
	ReasonUTF8:                "utf8",
	ReasonMissingID:           "missing_id",
	ReasonEventTime:           "event_time",
	ReasonNoAssignment:        "no_assignment",
	ReasonDuplicateExperiment: "duplicate_experiment",
	ReasonRamp:                "ramp",
	ReasonPrediction:          "prediction",
	ReasonReference:           "reference",
	ReasonColumns:             "columns",
	ReasonIndex:               "index",
	ReasonFamilies:            "families",
	ReasonWeight:              "weight",
	ReasonPropensity:          "propensity",
	ReasonDimension:           "dimension",
	ReasonOutcome:             "outcome",
	ReasonShadow:              "shadow",
	ReasonTooLarge:            "too_large",
	ReasonKey:                 "key",
	ReasonCorruptBatch:        "corrupt_batch",
}

// String is the reason's name in metric labels and in dead-letter headers.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}
