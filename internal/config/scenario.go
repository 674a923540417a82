package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/rehearse"
)

// scenarioFile is a file of stories that alert rules are rehearsed by. The
// reference of its keys is docs/rehearsal.md.
type scenarioFile struct {
	RuleFiles           []string   `yaml:"rule_files"`
	Rules               []Rule     `yaml:"rules"`
	FalseAlarmsPerMonth float64    `yaml:"false_alarms_per_month"`
	Tests               []scenario `yaml:"tests"`
}

type scenario struct {
	Name           string                 `yaml:"name,required"`
	Pane           time.Duration          `yaml:"pane"`
	Experiment     string                 `yaml:"experiment"`
	Control        string                 `yaml:"control"`
	Owner          string                 `yaml:"owner"`
	Baseline       map[string]float64     `yaml:"baseline"`
	Arms           map[string]scenarioArm `yaml:"arms,required"`
	Service        scenarioService        `yaml:"service"`
	Expect         []scenarioExpect       `yaml:"expect"`
	ExpectNoOthers bool                   `yaml:"expect_no_others"`
}

func defaultScenario() scenario {
	return scenario{Pane: 10 * time.Second, Experiment: "rehearsal", Control: "control"}
}

type scenarioArm struct {
	Ramp   rehearse.Series            `yaml:"ramp"`
	Units  rehearse.Series            `yaml:"units"`
	Slices map[string]scenarioNumbers `yaml:"slices"`
	scenarioNumbers
}

type scenarioNumbers struct {
	Auctions             rehearse.Series            `yaml:"auctions"`
	Candidates           map[string]rehearse.Series `yaml:"candidates"`
	Coverage             map[string]rehearse.Series `yaml:"coverage"`
	Stages               map[string]rehearse.Series `yaml:"stages"`
	VersionSkew          rehearse.Series            `yaml:"version_skew"`
	CandidateCalibration rehearse.Series            `yaml:"candidate_calibration"`
	LogMAE               rehearse.Series            `yaml:"log_mae"`
	Spread               float64                    `yaml:"spread"`
	Calls                rehearse.Series            `yaml:"calls"`
	Success              map[string]rehearse.Series `yaml:"serving_success"`
	P99                  map[string]rehearse.Series `yaml:"serving_p99_ms"`
	Winners              rehearse.Series            `yaml:"winners"`
	Predicted            rehearse.Series            `yaml:"predicted_rate"`
	Converting           rehearse.Series            `yaml:"conversion_rate"`
	LogLoss              rehearse.Series            `yaml:"log_loss"`
	Early                rehearse.Series            `yaml:"early_conversions"`
}

type scenarioService struct {
	Lag       rehearse.Series            `yaml:"consumer_lag"`
	Behind    rehearse.Series            `yaml:"watermark_behind"`
	Unmatched map[string]rehearse.Series `yaml:"unmatched"`
}

type scenarioExpect struct {
	At      time.Duration `yaml:"at,required"`
	Rule    string        `yaml:"rule,required"`
	Arm     string        `yaml:"arm"`
	Subject string        `yaml:"subject"`
	Phase   alerts.Phase  `yaml:"phase,required"`
}

// LoadScenarios reads a file of stories, and the rule files that it names. A file
// that cannot be read is one error; what is wrong in any of them is Problems.
func LoadScenarios(path string) ([]rehearse.Test, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("scenarios: %w", err)
	}
	return parseScenarios(data, os.Environ(), path, func(d *decoder, patterns []string) []string {
		return d.matching(filepath.Dir(path), "rule_files", patterns)
	})
}

// parseScenarios reads the content of the file at path; matching finds the rule
// files that it names.
func parseScenarios(data []byte, environ []string, path string, matching func(*decoder, []string) []string) ([]rehearse.Test, error) {
	d := newDecoder(environ)
	d.keys = nil // those of a configuration would be no help
	f := scenarioFile{FalseAlarmsPerMonth: alerts.DefaultBudget().PerMonth}
	d.document(data, reflect.ValueOf(&f).Elem())
	var others Problems
	if !d.bad[""] {
		d.rules(f.Rules, "rules", "", ruleNames{}, Aggregation{}, aggregationChecks{})
		var fromFiles []Rule
		fromFiles, others = d.ruleFiles(matching(d, f.RuleFiles), "rules", f.Rules, Aggregation{}, aggregationChecks{})
		rules := Alerts{Rules: f.Rules, FromFiles: fromFiles}.Effective()
		d.require(0 < f.FalseAlarmsPerMonth && f.FalseAlarmsPerMonth < 1, "false_alarms_per_month",
			"%g is out of range; want more than 0 and less than 1", f.FalseAlarmsPerMonth)
		d.require(len(f.Tests) > 0, "tests", "has no test")
		for i, s := range f.Tests {
			if p := fmt.Sprintf("tests[%d]", i); d.good(p) {
				d.scenario(p, s, rules)
			}
		}
		if len(d.problems) == 0 && len(others) == 0 {
			return f.tests(d, rules), nil
		}
	}
	problems := d.problems.sorted()
	for i := range problems {
		problems[i].File = path
	}
	return nil, append(problems, others...)
}

// tests is the content in the form of package rehearse.
func (f *scenarioFile) tests(d *decoder, rules []alerts.Rule) []rehearse.Test {
	var out []rehearse.Test
	for i, s := range f.Tests {
		t := rehearse.Test{
			Name: s.Name, Pane: s.Pane, NoOthers: s.ExpectNoOthers,
			Options: alerts.Options{
				Experiment: s.Experiment, Control: s.Control, Owner: s.Owner, Rules: rules,
				Budget: alerts.Budget{PerMonth: f.FalseAlarmsPerMonth}, Baseline: s.Baseline,
			},
			Arms:    map[string]rehearse.Arm{},
			Service: rehearse.Service{Lag: s.Service.Lag, Behind: s.Service.Behind, Unmatched: s.Service.Unmatched},
		}
		for name, a := range s.Arms {
			arm := rehearse.Arm{Ramp: a.Ramp, Units: a.Units, Numbers: a.numbers(), Slices: map[string]rehearse.Numbers{}}
			for slice, n := range a.Slices {
				arm.Slices[slice] = n.numbers()
			}
			t.Arms[name] = arm
		}
		for j, x := range s.Expect {
			t.Expect = append(t.Expect, rehearse.Expectation{
				At: x.At, Rule: x.Rule, Arm: x.Arm, Subject: x.Subject, Phase: x.Phase,
				Line: d.position(fmt.Sprintf("tests[%d].expect[%d]", i, j)).line,
			})
		}
		out = append(out, t)
	}
	return out
}

func (n scenarioNumbers) numbers() rehearse.Numbers {
	return rehearse.Numbers{
		Auctions: n.Auctions, Candidates: n.Candidates, Coverage: n.Coverage, Stages: n.Stages, VersionSkew: n.VersionSkew,
		CandidateCalibration: n.CandidateCalibration, LogMAE: n.LogMAE, Spread: n.Spread, Calls: n.Calls, Success: n.Success, P99: n.P99,
		Winners: n.Winners, Predicted: n.Predicted, Converting: n.Converting, LogLoss: n.LogLoss, Early: n.Early,
	}
}

var phases = []alerts.Phase{alerts.Waiting, alerts.Inactive, alerts.Pending, alerts.Firing, alerts.Resolved}

// scenario checks one test.
func (d *decoder) scenario(p string, s scenario, rules []alerts.Rule) {
	d.required(p, "name", s.Name, "say what happens")
	d.require(wholePane(s.Pane), p+".pane",
		"%s does not fit; want whole seconds that divide a minute evenly, or whole minutes that divide an hour", formatDuration(s.Pane))
	if d.good(p+".pane") && wholePane(s.Pane) {
		for _, r := range rules {
			d.require(r.Disabled || r.Window%s.Pane == 0, p+".pane", "%s does not divide the window of rule %s (%s)",
				formatDuration(s.Pane), r.Name, formatDuration(r.Window))
		}
	}
	for _, family := range sortedKeys(s.Baseline) {
		share := s.Baseline[family]
		d.require(0 <= share && share <= 1, p+".baseline."+family, "%g is out of range; want a share, 0 to 1", share)
	}
	d.require(len(s.Arms) > 0, p+".arms", "is missing; give each arm's numbers")
	for _, name := range sortedKeys(s.Arms) {
		a, path := s.Arms[name], p+".arms."+name
		d.atMost(path+".ramp", a.Ramp, 100, "percent")
		d.atMost(path+".units", a.Units, maxUnits, "number of units")
		d.numbers(path, a.scenarioNumbers)
		for _, slice := range sortedKeys(a.Slices) {
			for pair := range strings.SplitSeq(slice, ",") {
				dimension, _, ok := strings.Cut(pair, "=")
				d.require(ok && isName(dimension), path+".slices."+slice, "%q is not a slice; want a name such as surface=home,country=de", slice)
			}
			d.numbers(path+".slices."+slice, a.Slices[slice])
		}
	}
	for _, topic := range sortedKeys(s.Service.Unmatched) {
		d.atMost(p+".service.unmatched."+topic, s.Service.Unmatched[topic], 1, "share")
	}
	var names []string
	for _, r := range rules {
		names = append(names, r.Name)
	}
	for i, x := range s.Expect {
		d.expect(fmt.Sprintf("%s.expect[%d]", p, i), x, s, names)
	}
}

func (d *decoder) expect(p string, x scenarioExpect, s scenario, rules []string) {
	if !d.good(p) {
		return
	}
	for _, key := range []string{"at", "rule", "phase"} {
		if _, given := d.at[p+"."+key]; !given {
			d.require(false, p+"."+key, "is missing; an expectation needs at, rule and phase")
		}
	}
	d.require(x.At > 0 && x.At <= maxStory, p+".at", "%s is out of range; want more than 0s, at most %s", formatDuration(x.At), formatDuration(maxStory))
	text := fmt.Sprintf("%q is no rule", x.Rule)
	if best, ok := nearest(x.Rule, rules, 3); ok {
		text += "; did you mean " + best + "?"
	}
	d.require(slices.Contains(rules, x.Rule), p+".rule", "%s", text)
	if _, ok := s.Arms[x.Arm]; !ok && x.Arm != "" {
		d.require(false, p+".arm", "%q is no arm of this test", x.Arm)
	}
	allowed := make([]string, len(phases))
	for i, phase := range phases {
		allowed[i] = string(phase)
	}
	d.oneOf(p+".phase", string(x.Phase), allowed...)
}

// Of a story: how long it may be, and how many units a pane may bring.
const (
	maxStory = 30 * 24 * time.Hour
	maxUnits = 1e6
)

// atMost checks that a series stays within limit, which is one of a kind.
func (d *decoder) atMost(path string, s rehearse.Series, limit float64, kind string) {
	d.require(s.Max() <= limit, path, "%g is out of range; want a %s, at most %g", s.Max(), kind, limit)
}

// numbers checks those of an arm or a slice.
func (d *decoder) numbers(p string, n scenarioNumbers) {
	for key, m := range map[string]map[string]rehearse.Series{
		".coverage": n.Coverage, ".stages": n.Stages, ".serving_success": n.Success,
	} {
		for _, name := range sortedKeys(m) {
			d.atMost(p+key+"."+name, m[name], 1, "share")
		}
	}
	for key, s := range map[string]rehearse.Series{
		".version_skew": n.VersionSkew, ".predicted_rate": n.Predicted, ".conversion_rate": n.Converting, ".early_conversions": n.Early,
	} {
		d.atMost(p+key, s, 1, "share")
	}
	for _, need := range []struct {
		key   string
		given bool
		needs string
		there bool
	}{
		{".coverage", len(n.Coverage) > 0, "auctions", n.Auctions.Given()},
		{".stages", len(n.Stages) > 0, "auctions", n.Auctions.Given()},
		{".candidates", len(n.Candidates) > 0, "auctions", n.Auctions.Given()},
		{".version_skew", n.VersionSkew.Given(), "auctions", n.Auctions.Given()},
		{".candidate_calibration", n.CandidateCalibration.Given(), "auctions", n.Auctions.Given()},
		{".log_mae", n.LogMAE.Given(), "auctions", n.Auctions.Given()},
		{".serving_success", len(n.Success) > 0, "auctions or calls", n.Auctions.Given() || n.Calls.Given()},
		{".serving_p99_ms", len(n.P99) > 0, "auctions or calls", n.Auctions.Given() || n.Calls.Given()},
		{".predicted_rate", n.Predicted.Given(), "winners and conversion_rate", n.Winners.Given() && n.Converting.Given()},
		{".conversion_rate", n.Converting.Given(), "winners", n.Winners.Given()},
		{".log_loss", n.LogLoss.Given(), "winners and conversion_rate", n.Winners.Given() && n.Converting.Given()},
		{".early_conversions", n.Early.Given(), "winners and conversion_rate", n.Winners.Given() && n.Converting.Given()},
	} {
		if !d.good(p+".auctions", p+".calls", p+".winners", p+".conversion_rate") {
			break
		}
		d.require(!need.given || need.there, p+need.key, "needs %s beside it", need.needs)
	}
	d.require(n.Spread > 0, p+".spread", "%g is out of range; want more than 0", n.Spread)
}
