package aggregator

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// winners counts n winners of prediction p, the first `labels` of them with
// label 1 and a value of 7, each in a cluster of its own.
func winners(t *testing.T, n, labels int, p, weight float32) *Sums {
	t.Helper()
	return winnersIn(t, n, n, labels, p, weight)
}

// winnersIn is winners of some clusters, as many in each.
func winnersIn(t *testing.T, clusters, n, labels int, p, weight float32) *Sums {
	t.Helper()
	part := NewPartition(Options{Levels: DefaultLevels()})
	e := ordinaryAuction(event.Candidates{})
	w := Winner{Route: part.Route(e), TimeMs: start, Prediction: p, Weight: weight, CostMicros: 30, Families: -1, OptTypes: -1}
	for i := range n {
		w.Cluster = uint64(i*clusters/n) << (64 - clusterBits)
		part.Winner(&w)
		if i < labels {
			part.Label(&w, Outcome{}, Outcome{Positive: true, Type: part.ConversionType([]byte("click"))})
			part.Value(&w, 7)
		}
	}
	return part.Flush()[0].Sums
}

func wantNumber(t *testing.T, name string, got Number, want float64, ok bool) {
	t.Helper()
	if got.OK != ok || math.Abs(got.Value-want) > 1e-8*math.Abs(want) {
		t.Errorf("%s = %+v, want %v, %v", name, got, want, ok)
	}
}

func TestReadingOfNothing(t *testing.T) {
	nothing := (&Sums{}).Read(nil)
	text, err := json.Marshal(nothing)
	if err != nil {
		t.Fatal(err)
	}
	const unknown = `{"value":null,"low":null,"high":null,"n":0,"effective":0,"status":"undefined"}`
	estimates := 0
	for at := 0; ; estimates++ { // an estimate of nothing says so, and has no number
		next := strings.Index(string(text[at:]), `"status"`)
		if next < 0 {
			break
		}
		end := at + next + len(`"status":"undefined"}`)
		if got := string(text[end-len(unknown) : end]); got != unknown {
			t.Errorf("estimate %s, want %s", got, unknown)
		}
		at = end
	}
	if estimates < 15 {
		t.Errorf("%d estimates", estimates)
	}
	nothing.Candidates.Estimates, nothing.Winners.Estimates = CandidateEstimates{}, WinnerEstimates{}
	c, _ := json.Marshal(nothing.Candidates.Estimates)
	w, _ := json.Marshal(nothing.Winners.Estimates)
	text, err = json.Marshal(nothing)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer(`,"estimates":`+string(c), "", `,"estimates":`+string(w), "").Replace(string(text)))
	want := `{"candidates":{"count":0,"reference_count":0,"prediction_sum":0,"reference_sum":0,` +
		`"calibration_vs_reference":null,"log_mae":null,"log_bias":null,"coverage":{},` +
		`"prediction_quantiles":{"0.5":null,"0.9":null,"0.99":null},"item_embedding_versions":{},"embedding_distances":{},"stages":{},"score_bins":[],"auctions":0},` +
		`"winners":{"count":0,"conversions":0,"prediction_sum":0,"calibration":null,"calibration_low":null,"calibration_high":null,` +
		`"log_loss":null,"normalized_entropy":null,"brier":null,"label_maturity":null,"cost_micros":0,"value_micros":0,` +
		`"cost_per_conversion_micros":null,"coverage":{},"score_bins":[]},"serving":{}}`
	if d := cmp.Diff(want, string(text)); d != "" {
		t.Errorf("JSON (-want +got):\n%s", d)
	}
}

func TestWinnerNumbers(t *testing.T) {
	ln := math.Log
	h := -0.25*ln(0.25) - 0.75*ln(0.75)
	// The limits of a Poisson mean of which 2 events, or none, were seen:
	// SciPy's chi2.ppf(0.025, 4)/2, chi2.ppf(0.975, 6)/2 and chi2.ppf(0.975, 2)/2.
	const fewest, most, mostOfNone = 0.24220927854396530, 7.2246876679323135, 3.6888794541139363
	for _, tc := range []struct {
		name      string
		n, labels int
		p, weight float32
		check     func(t *testing.T, w *WinnerReading)
	}{
		{"two of eight", 8, 2, 0.5, 1, func(t *testing.T, w *WinnerReading) {
			wantNumber(t, "calibration", w.Calibration, 2, true)
			wantNumber(t, "calibration_low", w.CalibrationLow, 4/most, true)
			wantNumber(t, "calibration_high", w.CalibrationHigh, 4/fewest, true)
			wantNumber(t, "log_loss", w.LogLoss, ln(2), true)
			wantNumber(t, "normalized_entropy", w.NormalizedEntropy, ln(2)/h, true)
			wantNumber(t, "brier", w.Brier, 0.25, true)
			wantNumber(t, "cost_per_conversion_micros", w.CostPerConversionMicros, 120, true)
			wantNumber(t, "cost_micros", known(w.CostMicros), 240, true)
			wantNumber(t, "value_micros", known(w.ValueMicros), 14, true)
			wantNumber(t, "label_maturity", w.LabelMaturity, 0, true)
		}},
		{"no label", 8, 0, 0.25, 1, func(t *testing.T, w *WinnerReading) {
			wantNumber(t, "calibration", w.Calibration, 0, false)
			wantNumber(t, "calibration_low", w.CalibrationLow, 2/mostOfNone, true)
			wantNumber(t, "calibration_high", w.CalibrationHigh, 0, false)
			wantNumber(t, "log_loss", w.LogLoss, -ln(0.75), true)
			wantNumber(t, "normalized_entropy", w.NormalizedEntropy, 0, false)
			wantNumber(t, "brier", w.Brier, 0.0625, true)
			wantNumber(t, "cost_per_conversion_micros", w.CostPerConversionMicros, 0, false)
		}},
		{"only labels", 4, 4, 0.25, 1, func(t *testing.T, w *WinnerReading) {
			wantNumber(t, "calibration", w.Calibration, 0.25, true)
			wantNumber(t, "normalized_entropy", w.NormalizedEntropy, 0, false)
			wantNumber(t, "log_loss", w.LogLoss, -ln(0.25), true)
		}},
		{"weighted", 8, 2, 0.5, 3, func(t *testing.T, w *WinnerReading) {
			wantNumber(t, "count", known(float64(w.Count)), 8, true)
			wantNumber(t, "conversions", known(float64(w.Conversions)), 2, true)
			wantNumber(t, "prediction_sum", known(w.PredictionSum), 12, true)
			wantNumber(t, "calibration", w.Calibration, 2, true)
			wantNumber(t, "calibration_low", w.CalibrationLow, 4/most, true)
			wantNumber(t, "log_loss", w.LogLoss, ln(2), true)
			wantNumber(t, "brier", w.Brier, 0.25, true)
			wantNumber(t, "value_micros", known(w.ValueMicros), 42, true)
		}},
		{"just below 1", 3, 0, math.Nextafter32(1, 0), 1, func(t *testing.T, w *WinnerReading) {
			wantNumber(t, "log_loss", w.LogLoss, 24*ln(2), true)
		}},
		{"the smallest", 3, 3, math.Float32frombits(1), 1, func(t *testing.T, w *WinnerReading) {
			wantNumber(t, "log_loss", w.LogLoss, 149*ln(2), true)
		}},
		// Squared errors and losses of predictions as small as are told apart.
		{"tiny", 7, 0, 1e-6, 1, func(t *testing.T, w *WinnerReading) {
			p := float64(float32(1e-6))
			wantNumber(t, "brier", w.Brier, p*p, true)
			wantNumber(t, "log_loss", w.LogLoss, -math.Log1p(-p), true)
		}},
		{"tinier", 7, 0, 6e-8, 2, func(t *testing.T, w *WinnerReading) {
			p := float64(float32(6e-8))
			wantNumber(t, "brier", w.Brier, p*p, true)
			wantNumber(t, "log_loss", w.LogLoss, -math.Log1p(-p), true)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := winners(t, tc.n, tc.labels, tc.p, tc.weight).Read(nil).Winners
			tc.check(t, &r)
		})
	}
}

func TestCalibrationInterval(t *testing.T) {
	// Student's t and limits of Poisson means by SciPy: t.ppf(0.975, 11),
	// chi2.ppf(0.025, 2)/2 and chi2.ppf(0.975, 4)/2.
	const t11, fewestOfOne, mostOfOne = 2.200985160091639, 0.025317807984289897, 5.571643390938898
	for _, tc := range []struct {
		name                string
		clusters, n, labels int
		low, high           float64
	}{
		// ln Q has the variance Σ(O_g/O − E_g/E)²·G/(G−1) = 1/23.
		{"twelve labels in as many clusters", 24, 24, 12, math.Exp(-t11 / math.Sqrt(23)), math.Exp(t11 / math.Sqrt(23))},
		{"twelve labels in one of two clusters are as good as one", 2, 24, 12, 12 / (12 * mostOfOne), 12 / (12 * fewestOfOne)},
		{"two labels in one of two clusters are as good as one", 2, 8, 2, 4 / (2 * mostOfOne), 4 / (2 * fewestOfOne)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := winnersIn(t, tc.clusters, tc.n, tc.labels, 0.5, 1).Read(nil).Winners
			wantNumber(t, "calibration_low", w.CalibrationLow, tc.low, true)
			wantNumber(t, "calibration_high", w.CalibrationHigh, tc.high, true)
		})
	}
}

// A label that is taken back leaves nothing but its winner.
func TestLabelsAndValuesAreTakenBack(t *testing.T) {
	for _, weight := range []float32{1, 2.5} {
		want := winners(t, 1, 0, 0.3, weight)
		part := NewPartition(Options{Levels: DefaultLevels()})
		w := Winner{Route: part.Route(ordinaryAuction(event.Candidates{})), TimeMs: start, Prediction: 0.3, Weight: weight, CostMicros: 30, Families: -1, OptTypes: -1}
		part.Winner(&w)
		for range 3 {
			part.Label(&w, Outcome{}, Outcome{Positive: true, Type: part.ConversionType([]byte("click"))})
			part.Value(&w, 1<<40)
			part.Flush()
			part.Value(&w, -1<<40)
			part.Label(&w, Outcome{Positive: true, Type: part.ConversionType([]byte("click"))}, Outcome{})
		}
		wantSame(t, "weight", want, part.Flush()[0].Sums)
	}
}

func TestTowerNumbers(t *testing.T) {
	part := NewPartition(Options{Levels: DefaultLevels()})
	for _, call := range []struct {
		weight  float32
		outcome event.Outcome
		latency uint32
	}{{1, event.OutcomeOK, 1000}, {1, event.OutcomeTimeout, 3000}, {2, event.OutcomeOK, 1000}, {4, event.OutcomeError, 0}} {
		e := ordinaryAuction(event.Candidates{})
		e.SampleWeight = call.weight
		e.TowerCalls = []event.TowerCall{{Tower: []byte("query"), Outcome: call.outcome, LatencyUs: call.latency}}
		f := fact{auction: e, winner: -1}
		f.apply(part)
	}
	r := part.Flush()[0].Sums.Read(nil).Serving["query"]
	wantNumber(t, "calls", known(float64(r.Calls)), 4, true)
	wantNumber(t, "success_ratio", r.SuccessRatio, 3.0/8, true)
	wantNumber(t, "timeout_ratio", r.TimeoutRatio, 1.0/8, true)
	if m := r.LatencyUs["0.5"]; math.Abs(m.Value-1000) > 10 {
		t.Errorf("median latency = %+v, want 1000", m)
	}
}

func TestScoreBinsAddUp(t *testing.T) {
	for seed := range uint64(50) {
		s := randomSums(t, seed)
		r := s.Read(nil)
		var n, labels int64
		var p float64
		for i, b := range r.Candidates.ScoreBins {
			n += b.Count
			p += b.PredictionSum
			if i > 0 && b.Lower < r.Candidates.ScoreBins[i-1].Upper {
				t.Errorf("seed %d: bin %d begins at %v, before the one below ends", seed, i, b.Lower)
			}
		}
		if n != r.Candidates.Count || math.Abs(p-r.Candidates.PredictionSum) > 1e-9*p {
			t.Errorf("seed %d: bins hold %d candidates and Σp %v, want %d and %v", seed, n, p, r.Candidates.Count, r.Candidates.PredictionSum)
		}
		n = 0
		for _, b := range r.Winners.ScoreBins {
			n += b.Count
			labels += b.Conversions
		}
		if n != r.Winners.Count || labels != r.Winners.Conversions {
			t.Errorf("seed %d: bins hold %d winners and %d labels, want %d and %d", seed, n, labels, r.Winners.Count, r.Winners.Conversions)
		}
	}
}

func TestNumberJSON(t *testing.T) {
	for _, tc := range []struct {
		n    Number
		want string
	}{{known(0.5), "0.5"}, {known(0), "0"}, {Number{}, "null"}, {known(math.NaN()), "null"}, {known(math.Inf(1)), "null"}} {
		text, err := json.Marshal(tc.n)
		if err != nil || string(text) != tc.want {
			t.Errorf("Marshal(%+v) = %s, %v; want %s", tc.n, text, err, tc.want)
		}
		var back Number
		if err := json.Unmarshal(text, &back); err != nil || back.OK != (tc.want != "null") {
			t.Errorf("Unmarshal(%s) = %+v, %v", text, back, err)
		}
	}
	var n Number
	if err := json.Unmarshal([]byte(`"x"`), &n); err == nil || !strings.HasPrefix(err.Error(), "number:") {
		t.Errorf("Unmarshal of a string: %v, want an error of the number", err)
	}
}
