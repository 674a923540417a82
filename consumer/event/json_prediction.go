package event

func predictionField(name []byte) int {
	switch string(name) {
	case "auctionId", "auction_id":
		return 1
	case "eventTimeMs", "event_time_ms":
		return 2
	case "assignments":
		return 3
	case "dimensions":
		return 4
	case "modelVersion", "model_version":
		return 5
	case "queryEmbeddingVersion", "query_embedding_version":
		return 6
	case "towerCalls", "tower_calls":
		return 7
	case "candidates":
		return 8
	case "unitId", "unit_id":
		return 9
	case "sampleWeight", "sample_weight":
		return 10
	}
	return 0
}

func (d *Decoder) parsePrediction(b []byte) Reason {
	p := &d.prediction
	m := message{name: "Prediction", number: predictionField}
	num, i := 0, 0
	for {
		if num, i = d.nextField(&m, b, i); num == 0 {
			return d.finish(b, i)
		}
		switch num {
		case 1:
			p.AuctionID, i = d.parseString(b, i, "auction_id")
		case 2:
			p.EventTimeMs, i = d.parseInt64(b, i, "event_time_ms")
		case 3:
			i = d.parseAssignments(b, i)
		case 4:
			i = d.parseDimensions(b, i)
		case 5:
			p.ModelVersion, i = d.parseString(b, i, "model_version")
		case 6:
			p.QueryEmbeddingVersion, i = d.parseString(b, i, "query_embedding_version")
		case 7:
			i = d.parseTowerCalls(b, i)
		case 8:
			i = d.parseCandidates(b, i)
		case 9:
			p.UnitID, i = d.parseUint64(b, i, "unit_id")
		case 10:
			p.SampleWeight, i = d.parseFloat32(b, i, "sample_weight")
		}
		if i < 0 {
			return d.failure.reason
		}
	}
}

func assignmentField(name []byte) int {
	switch string(name) {
	case "experiment":
		return 1
	case "arm":
		return 2
	case "rampPercent", "ramp_percent":
		return 3
	}
	return 0
}

func (d *Decoder) parseAssignments(b []byte, i int) int {
	more := false
	for {
		if i, more = d.nextElement(b, i, more, "assignments"); !more {
			return i
		}
		var a Assignment
		m := message{name: "Assignment", number: assignmentField}
		for num := 0; ; {
			if num, i = d.nextField(&m, b, i); num == 0 {
				break
			}
			switch num {
			case 1:
				a.Experiment, i = d.parseString(b, i, "experiment")
			case 2:
				a.Arm, i = d.parseString(b, i, "arm")
			case 3:
				a.RampPercent, i = d.parseFloat64(b, i, "ramp_percent")
			}
			if i < 0 {
				return i
			}
		}
		if i < 0 {
			return i
		}
		d.prediction.Assignments = append(d.prediction.Assignments, a)
	}
}

// parseDimensions reads the map. A key that occurs twice is refused here as
// every repeated member is; on the protobuf wire the last one wins.
func (d *Decoder) parseDimensions(b []byte, i int) int {
	var dim Dimension
	for opened := false; ; opened = true {
		if dim.Key, i = d.nextName(b, i, opened, "dimensions"); i < 0 || dim.Key == nil {
			break
		}
		if dim.Value, i = d.parseString(b, i, "value of dimensions"); i < 0 {
			break
		}
		d.prediction.Dimensions = append(d.prediction.Dimensions, dim)
	}
	if i < 0 {
		return i
	}
	d.names = d.names[:0]
	for k := range d.prediction.Dimensions {
		d.names = append(d.names, d.prediction.Dimensions[k].Key)
	}
	if d.repeated() {
		return d.syntax(i, "dimensions, up to byte %[2]d, names one key twice", "")
	}
	return i
}

func towerCallField(name []byte) int {
	switch string(name) {
	case "tower":
		return 1
	case "outcome":
		return 2
	case "latencyUs", "latency_us":
		return 3
	}
	return 0
}

func (d *Decoder) parseTowerCalls(b []byte, i int) int {
	more := false
	for {
		if i, more = d.nextElement(b, i, more, "tower_calls"); !more {
			return i
		}
		var t TowerCall
		m := message{name: "TowerCall", number: towerCallField}
		for num := 0; ; {
			if num, i = d.nextField(&m, b, i); num == 0 {
				break
			}
			switch num {
			case 1:
				t.Tower, i = d.parseString(b, i, "tower")
			case 2:
				t.Outcome, i = d.parseOutcome(b, i)
			case 3:
				t.LatencyUs, i = d.parseUint32(b, i, "latency_us")
			}
			if i < 0 {
				return i
			}
		}
		if i < 0 {
			return i
		}
		d.prediction.TowerCalls = append(d.prediction.TowerCalls, t)
	}
}

// parseOutcome reads the enum by name or by number. A number without a name is
// legal JSON, and the check refuses it; a name that does not exist is not.
func (d *Decoder) parseOutcome(b []byte, i int) (Outcome, int) {
	if i >= len(b) || b[i] != '"' {
		negative, v, j := d.parseInteger(b, i, "outcome")
		if j < 0 {
			return 0, j
		}
		if v > 1<<31 || v == 1<<31 && !negative {
			return 0, d.syntax(i, "%[1]s is not an integer of 32 bits at byte %[2]d", "outcome")
		}
		if negative || v >= uint64(NumOutcomes) {
			return NumOutcomes, j
		}
		return Outcome(v), j
	}
	s, j := d.parseString(b, i, "outcome")
	if j < 0 {
		return 0, j
	}
	switch string(s) {
	case "OUTCOME_UNSPECIFIED":
		return OutcomeUnspecified, j
	case "OK":
		return OutcomeOK, j
	case "TIMEOUT":
		return OutcomeTimeout, j
	case "ERROR":
		return OutcomeError, j
	}
	return 0, d.syntax(i, "%[1]s is not the name of an outcome at byte %[2]d", "outcome")
}
