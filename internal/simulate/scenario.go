package simulate

// Scenario describes an experiment: two arms that share one world, and what
// goes wrong in serving one of them.
type Scenario struct {
	Name       string // names the scenario on the command line
	Title      string // one line
	Experiment string
	Control    Arm
	Treatment  Arm
	Families   []Family
	// Cause is the hypothesis that explains the gap, by the identifiers of the
	// diagnosis, and CauseFamily the feature family concerned, if any.
	Cause, CauseFamily string
}

// Arm is one side of the experiment.
type Arm struct {
	Name         string
	ModelVersion string
	// Noise is the standard deviation of ln p − ln r when every feature is
	// served: what an offline evaluation sees. The noise keeps E(p) at r.
	Noise float64
	// Losses are the families that serving loses, wholly or in part.
	Losses []Loss
}

// Loss takes a family's value from the model for a share of the candidates
// that have one.
type Loss struct {
	Family string
	Share  float64 // of the candidates that have a value, 0..1
	// Factor multiplies the prediction of a candidate whose value is lost.
	Factor float64
}

// Family is a group of features.
type Family struct {
	Name      string
	Available float64 // share of candidates that have a value, 0..1
}

// MissingFamily is the scenario in which the treatment's better model never
// gets one feature family online: offsite_visits is present for 3 % of its
// candidates, against 97 % in control, and where it is lost the model
// predicts 20 % too much, so that its calibration is 1.19 times control's.
func MissingFamily() Scenario {
	const available, coverage, gap = 0.97, 0.03, 1.19
	lost := available - coverage // share of all candidates
	return Scenario{
		Name:       "missing-family",
		Title:      "a feature family of the treatment's model is missing online",
		Experiment: "l1-cvr-v2",
		Control:    Arm{Name: "control", ModelVersion: "l1-cvr-v1", Noise: 0.25},
		Treatment: Arm{Name: "treatment", ModelVersion: "l1-cvr-v2", Noise: 0.15, Losses: []Loss{{
			Family: "offsite_visits",
			Share:  lost / available,
			Factor: 1 + (gap-1)/lost,
		}}},
		Families: []Family{
			{"ads_profile", 0.99},
			{"offsite_visits", available},
			{"annotations", 0.92},
			{"image_embedding", 0.88},
			{"targeting_spec", 0.95},
		},
		Cause:       "feature_coverage",
		CauseFamily: "offsite_visits",
	}
}

// Scenarios lists all scenarios.
func Scenarios() []Scenario { return []Scenario{MissingFamily()} }

// Truth is what a perfect diagnosis of a workload would say.
type Truth struct {
	Scenario    string             `json:"scenario"`
	Experiment  string             `json:"experiment"`
	Control     string             `json:"control"`
	Treatment   string             `json:"treatment"`
	Cause       string             `json:"cause"`            // the hypothesis to accept
	Family      string             `json:"family,omitempty"` // that the cause is about
	Coverage    map[string]float64 `json:"coverage"`         // expected coverage of Family, by arm
	Calibration map[string]float64 `json:"calibration"`      // expected Σp/Σr, by arm
	// CalibrationRatio is the treatment's calibration over control's, expected
	// on candidates and winners alike.
	CalibrationRatio float64 `json:"calibration_ratio"`
}

// Truth derives the truth from the scenario's own settings.
func (s Scenario) Truth() Truth {
	t := Truth{
		Scenario:    s.Name,
		Experiment:  s.Experiment,
		Control:     s.Control.Name,
		Treatment:   s.Treatment.Name,
		Cause:       s.Cause,
		Family:      s.CauseFamily,
		Coverage:    map[string]float64{},
		Calibration: map[string]float64{},
	}
	for _, arm := range []Arm{s.Control, s.Treatment} {
		if s.CauseFamily != "" {
			t.Coverage[arm.Name] = s.coverage(arm, s.CauseFamily)
		}
		calibration := 1.0
		for _, l := range arm.Losses {
			lost := s.available(l.Family) * l.Share
			calibration *= 1 - lost + lost*l.Factor
		}
		t.Calibration[arm.Name] = calibration
	}
	t.CalibrationRatio = t.Calibration[s.Treatment.Name] / t.Calibration[s.Control.Name]
	return t
}

func (s Scenario) available(family string) float64 {
	for _, f := range s.Families {
		if f.Name == family {
			return f.Available
		}
	}
	return 0
}

func (s Scenario) coverage(arm Arm, family string) float64 {
	c := s.available(family)
	for _, l := range arm.Losses {
		if l.Family == family {
			c *= 1 - l.Share
		}
	}
	return c
}
