package recount

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// expected is the part of expected.json that both an arm and a slot have.
type expected struct {
	Candidates struct {
		Count         int64              `json:"count"`
		PredictionSum float64            `json:"prediction_sum"`
		ReferenceSum  float64            `json:"reference_sum"`
		Calibration   float64            `json:"calibration_vs_reference"`
		LogMAE        float64            `json:"log_mae"`
		LogBias       float64            `json:"log_bias"`
		Coverage      map[string]float64 `json:"coverage"`
		P50           float64            `json:"prediction_p50"`
		P99           float64            `json:"prediction_p99"`
	} `json:"candidates"`
	Winners struct {
		Count             int64   `json:"count"`
		Conversions       int64   `json:"conversions"`
		PredictionSum     float64 `json:"prediction_sum"`
		Calibration       float64 `json:"calibration"`
		LogLoss           float64 `json:"log_loss"`
		NormalizedEntropy float64 `json:"normalized_entropy"`
		Brier             float64 `json:"brier"`
	} `json:"winners"`
}

// TestOpenBandit compares the recount with results that numpy and scikit-learn
// computed from the same files.
func TestOpenBandit(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, tc := range []struct {
		name, dir string
		optional  bool // not part of the repository
	}{
		{name: "men", dir: filepath.Join(root, "examples", "openbandit")},
		{name: "all", dir: filepath.Join(root, "..", "shared", "data", "openbandit", "all"), optional: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(tc.dir, "expected.json"))
			if tc.optional && errors.Is(err, fs.ErrNotExist) {
				t.Skip("the log is not beside the repository")
			}
			if err != nil {
				t.Fatal(err)
			}
			var want struct {
				Experiment string
				Arms       map[string]struct {
					expected
					BySlot map[string]expected `json:"by_slot"`
				}
			}
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			r := load(t, tc.dir)
			arms := r.Summary(Query{Experiment: want.Experiment, Slice: []string{"slot"}})
			if len(arms) != len(want.Arms) {
				t.Fatalf("got %d arms, want %d", len(arms), len(want.Arms))
			}
			for name, arm := range want.Arms {
				compare(t, name, arms[name].Total, arm.expected)
				if len(arms[name].Slices) != len(arm.BySlot) {
					t.Errorf("%s: got %d slots, want %d", name, len(arms[name].Slices), len(arm.BySlot))
				}
				for slot, numbers := range arm.BySlot {
					compare(t, name+" slot "+slot, arms[name].Slices["slot="+slot], numbers)
				}
			}
			if u := r.Unmatched(); u != (Unmatched{}) {
				t.Errorf("unmatched: got %+v, want none", u)
			}
		})
	}
}

func compare(t *testing.T, name string, got *Numbers, want expected) {
	t.Helper()
	c, w := &got.Candidates, &got.Winners
	counts := []struct {
		name      string
		got, want int64
	}{
		{"candidates", c.Count, want.Candidates.Count},
		{"winners", w.Count, want.Winners.Count},
		{"conversions", w.Conversions, want.Winners.Conversions},
	}
	for _, n := range counts {
		if n.got != n.want {
			t.Errorf("%s: %s: got %d, want %d", name, n.name, n.got, n.want)
		}
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-11*math.Abs(want) {
			t.Errorf("%s: %s: got %v, want %v", name, what, got, want)
		}
	}
	near("prediction_sum", c.PredictionSum, want.Candidates.PredictionSum)
	near("reference_sum", c.ReferenceSum, want.Candidates.ReferenceSum)
	near("calibration_vs_reference", c.CalibrationVsReference.Value, want.Candidates.Calibration)
	near("log_mae", c.LogMAE.Value, want.Candidates.LogMAE)
	near("log_bias", c.LogBias.Value, want.Candidates.LogBias)
	near("p50", c.Quantiles["0.5"].Low, want.Candidates.P50)
	near("p99", c.Quantiles["0.99"].High, want.Candidates.P99)
	if len(c.Coverage) != len(want.Candidates.Coverage) {
		t.Errorf("%s: got %d families, want %d", name, len(c.Coverage), len(want.Candidates.Coverage))
	}
	for family, share := range want.Candidates.Coverage {
		near("coverage "+family, c.Coverage[family].Value, share)
	}
	near("winners prediction_sum", w.PredictionSum, want.Winners.PredictionSum)
	near("calibration", w.Calibration.Value, want.Winners.Calibration)
	near("log_loss", w.LogLoss.Value, want.Winners.LogLoss)
	near("normalized_entropy", w.NormalizedEntropy.Value, want.Winners.NormalizedEntropy)
	near("brier", w.Brier.Value, want.Winners.Brier)
}

func load(t *testing.T, dir string) *Recount {
	t.Helper()
	r := New(Options{Window: 10 * time.Minute, AttributionWindow: 24 * time.Hour, Levels: DefaultLevels()})
	each(t, filepath.Join(dir, "predictions.ndjson.gz"), func() *eventpb.Prediction { return &eventpb.Prediction{} }, r.Prediction)
	each(t, filepath.Join(dir, "impressions.ndjson.gz"), func() *eventpb.Impression { return &eventpb.Impression{} }, r.Impression)
	each(t, filepath.Join(dir, "conversions.ndjson.gz"), func() *eventpb.Conversion { return &eventpb.Conversion{} }, r.Conversion)
	return r
}

// each parses a file's lines into messages.
func each[M proto.Message](t *testing.T, path string, newMessage func() M, add func(M)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := newMessage()
		if err := protojson.Unmarshal(lines.Bytes(), m); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		add(m)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
