package deliver

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
)

func TestRoutes(t *testing.T) {
	routes := Routes{
		List: []Route{
			{Changes: OnlyChanges, Receivers: []string{"log"}, Continue: true},
			{Experiment: "test-*", Receivers: []string{"nobody"}},
			{Owner: "ads", Severities: []alerts.Severity{alerts.Critical}, Receivers: []string{"pager", "chat"}, Continue: true},
			{Rule: "coverage-*", Changes: OnlyAlerts, Receivers: []string{"chat", "features"}},
		},
		Default: []string{"default"},
	}
	for _, tc := range []struct {
		name string
		n    alerts.Notification
		want []string
	}{
		{"nothing matches", alerts.Notification{Action: alerts.Trigger, Experiment: "e", Severity: alerts.Info}, []string{"default"}},
		{"glob ends the list", alerts.Notification{Action: alerts.Trigger, Experiment: "test-1", Owner: "ads", Severity: alerts.Critical}, []string{"nobody"}},
		{"owner and severity", alerts.Notification{Action: alerts.Trigger, Experiment: "e", Owner: "ads", Severity: alerts.Critical}, []string{"pager", "chat"}},
		{"severity does not match", alerts.Notification{Action: alerts.Trigger, Experiment: "e", Owner: "ads", Severity: alerts.Info}, []string{"default"}},
		{"continues, each once", alerts.Notification{Action: alerts.Resolve, Experiment: "e", Owner: "ads", Severity: alerts.Critical, Rule: "coverage-drop"}, []string{"pager", "chat", "features"}},
		{"change, continued to nothing", alerts.Notification{Action: alerts.Change, Experiment: "e", Owner: "ads"}, []string{"log"}},
		{"change, continued", alerts.Notification{Action: alerts.Change, Experiment: "test-x"}, []string{"log", "nobody"}},
		{"change is no alert", alerts.Notification{Action: alerts.Change, Experiment: "e", Rule: "coverage-drop"}, []string{"log"}},
	} {
		if diff := cmp.Diff(tc.want, routes.Match(tc.n)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "ab", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "axxbyy", false}, {"?", "ü", true}, {"?", "", false}, {"??", "ü", false},
		{"a**b", "ab", true}, {"*ab", "aab", true}, {"*a?c*", "xxabcabd", true}, {"[a]", "a", false}, {"A", "a", false},
	} {
		if got := glob(tc.pattern, tc.text); got != tc.want {
			t.Errorf("glob(%q, %q): got %t, want %t", tc.pattern, tc.text, got, tc.want)
		}
	}
}

func TestOptionsCheck(t *testing.T) {
	o := Options{
		Receivers: []Receiver{&recorder{name: "a"}, &recorder{name: "a"}, &recorder{name: "b"}},
		Routes: Routes{
			List: []Route{
				{Receivers: []string{"c"}}, {}, {Receivers: []string{"a"}, Changes: "maybe"},
				{Receivers: []string{"a"}, Changes: OnlyChanges, Severities: []alerts.Severity{"page"}},
			},
			Default: []string{"d"},
		},
	}
	err := o.Check()
	if err == nil {
		t.Fatal("got no error, want several")
	}
	for _, want := range []string{
		"dir: must not be empty", `name "a" is used twice`, `routes[0].receivers: there is no receiver "c"; want one of a, b`,
		"routes[1]: receivers: must not be empty", `routes[2].changes: "maybe" is unknown`, "routes[3].severities: changes have none",
		`routes[3].severities: "page" is no severity`, `default: there is no receiver "d"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestDryRun(t *testing.T) {
	a, b := &recorder{name: "a"}, &recorder{name: "b"}
	o := Options{Receivers: []Receiver{a, b}, Routes: Routes{List: []Route{{Experiment: "x", Receivers: []string{"b"}}}, Default: []string{"a", "b"}}}
	names := func(experiment string) (out []string) {
		p, err := DryRun(o, alerts.Notification{Action: alerts.Trigger, Experiment: experiment, Summary: "s"})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range p {
			out = append(out, q.Receiver+" "+q.Method+" "+q.URL+" "+string(q.Body))
		}
		return out
	}
	if diff := cmp.Diff([]string{"b POST http://b s"}, names("x")); diff != "" {
		t.Errorf("x (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a POST http://a s", "b POST http://b s"}, names("y")); diff != "" {
		t.Errorf("y (-want +got):\n%s", diff)
	}
	if len(a.list())+len(b.list()) > 0 {
		t.Error("a dry run has sent something")
	}
}
