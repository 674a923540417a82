package config

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/diagnosis"
)

// The gate of an experiment has its own keys, else those of all, else the
// defaults, and the environment's in front of those of all.
func TestGuardrails(t *testing.T) {
	data, _ := fixture(t, "testdata/gate.good.yml")
	c, err := ParseEnviron(data, []string{"RAMPGAUGE_GATE_MIN_CONVERSIONS=700"})
	if err != nil {
		t.Fatal(err)
	}
	all := diagnosis.DefaultGuardrails()
	all.MinConversions, all.MinTime, all.MaxCoverageDrop = 700, 2*time.Hour, 0
	all.RollbackOn = []alerts.Severity{alerts.Critical, alerts.Warning}
	stricter := all
	stricter.MinTime, stricter.MaxCoverageDrop, stricter.RollbackOn = 24*time.Hour, 0.01, nil
	for name, want := range map[string]diagnosis.Guardrails{"as-all": all, "stricter": stricter, "not configured": all} {
		if diff := cmp.Diff(want, c.Guardrails(name), cmpEmpty); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// cmpEmpty takes a list without entries for none.
var cmpEmpty = cmp.Comparer(slices.Equal[[]alerts.Severity])
