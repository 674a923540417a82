package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/config"
)

// examples are the stories that are shipped with the example rules.
var examples = filepath.Join("..", "..", "deploy", "alerts", "rules_test.yml")

func TestRehearsalOfExamples(t *testing.T) {
	code, stdout, stderr := rampgauge(t.Context(), "test", examples)
	tests, err := config.LoadScenarios(examples)
	if err != nil {
		t.Fatal(err)
	}
	if code != exitOK || stderr != "" || strings.Count(stdout, "\nok ")+1 != len(tests) || strings.Count(stdout, "\n") != len(tests) {
		t.Errorf("exit %d, stderr %q, stdout:\n%s", code, stderr, stdout)
	}
	// Each rule is told of in one story at least.
	told := map[string]bool{}
	for _, test := range tests {
		for _, x := range test.Expect {
			if x.Phase == "firing" {
				told[x.Rule] = true
			}
		}
	}
	for _, r := range tests[0].Options.Rules {
		if !told[r.Name] && !r.Disabled {
			t.Errorf("rule %s fires in no story", r.Name)
		}
	}
}

// The example rules are good as part of a configuration, too.
func TestExampleRulesAreGood(t *testing.T) {
	rules, err := filepath.Abs(filepath.Join(filepath.Dir(examples), "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "r.yml", "kafka: {brokers: [b:1]}\nalerts: {rule_files: [\""+rules+"\"]}\n")
	if code, stdout, stderr := rampgauge(t.Context(), "check-config", file); code != exitOK {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
}

// The story in the reference does what it says, by the example rules.
func TestRehearsalInTheReference(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "rehearsal.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	story, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("no story in docs/rehearsal.md")
	}
	rules, err := filepath.Abs(filepath.Join(filepath.Dir(examples), "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "story.yml", strings.Replace(story, "[rules.yml]", "[\""+rules+"\"]", 1))
	if code, stdout, stderr := rampgauge(t.Context(), "test", file); code != exitOK {
		t.Errorf("exit %d, %q:\n%s", code, stderr, stdout)
	}
}

const lagStory = `
tests:
  - name: a lag of an hour
    arms: {control: {auctions: 100x360}}
    service: {consumer_lag: 0x6 2e6}
    expect:
      - {at: 30m, rule: consumer-lag, phase: %s}
    expect_no_others: true
`

func TestRehearsal(t *testing.T) {
	good := writeFile(t, "good.yml", strings.Replace(lagStory, "%s", "firing", 1))
	bad := writeFile(t, "bad.yml", strings.Replace(lagStory, "%s", "inactive", 1))
	wantGood := "ok     " + good + ": a lag of an hour\n"
	wantBad := "FAILED " + bad + ": a lag of an hour\n" +
		"    " + bad + ":7: at 30m: want consumer-lag to be inactive, got\n" +
		"        consumer-lag: firing, effect 2e+06\n"
	code, stdout, stderr := rampgauge(t.Context(), "test", good, bad)
	if diff := cmp.Diff(wantGood+wantBad, stdout); code != exitError || stderr != "rampgauge: test: 1 of 2 tests failed\n" || diff != "" {
		t.Errorf("exit %d, stderr %q, stdout (-want +got):\n%s", code, stderr, diff)
	}

	code, stdout, _ = rampgauge(t.Context(), "test", "-v", good)
	if code != exitOK || !strings.Contains(stdout, "\n    6m10s: trigger: rampgauge: records come faster than they are read") {
		t.Errorf("verbose: exit %d, stdout:\n%s", code, stdout)
	}

	code, stdout, stderr = rampgauge(t.Context(), "test", "--output", "json", good, bad)
	var got struct {
		OK    bool
		Tests []struct {
			File, Name string
			OK         bool
			Failures   []struct {
				Line int
				Got  []struct{ Rule, Phase string }
			}
			Notifications []struct{ Action, Rule string }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v:\n%s", err, stdout)
	}
	if code != exitError || got.OK || len(got.Tests) != 2 || !got.Tests[0].OK || got.Tests[1].OK || got.Tests[1].File != bad ||
		len(got.Tests[1].Failures) != 1 || got.Tests[1].Failures[0].Line != 7 || got.Tests[1].Failures[0].Got[0].Phase != "firing" {
		t.Errorf("json: exit %d, stderr %q, %+v", code, stderr, got)
	}
}

// Nothing is run while a file is wrong, and all problems of all files are told.
func TestRehearsalOfWrongFiles(t *testing.T) {
	good := writeFile(t, "good.yml", strings.Replace(lagStory, "%s", "firing", 1))
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.yml":     strings.Replace(lagStory, "%s", "fireing", 1),
		"b.yml":     "rule_files: [rules.yml]\ntests: [{name: t, arms: {control: {auctions: x}}}]\n",
		"rules.yml": "rules: [{name: r, metric: covrage}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := filepath.Join(dir, "a.yml"), filepath.Join(dir, "b.yml")
	code, stdout, stderr := rampgauge(t.Context(), "test", good, a, b)
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if code != exitUsage || stdout != "" || len(lines) != 3 {
		t.Fatalf("exit %d, stdout %q, stderr:\n%s", code, stdout, stderr)
	}
	for i, want := range []string{
		a + `:7:46: tests[0].expect[0].phase: "fireing" is not allowed; want one of waiting, inactive, pending, firing, resolved; did you mean firing?`,
		b + `:2:46: tests[0].arms.control.auctions: "x" is no part of a series`,
		filepath.Join(dir, "rules.yml") + `:1:27: rules[0].metric: "covrage" is no metric; want one of `,
	} {
		if !strings.HasPrefix(lines[i], "rampgauge: "+want) {
			t.Errorf("got %s, want %s", lines[i], want)
		}
	}
}
