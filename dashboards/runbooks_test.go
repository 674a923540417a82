package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each alert, of ours and of Prometheus, has its section in docs/runbooks.md,
// under the anchor that its link names, with everything that whoever is woken
// needs; and each section is of an alert.
func TestRunbooks(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "runbooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(page), "\n## ")[1:] {
		title, text, _ := strings.Cut(s, "\n")
		sections[title] = text
	}
	linked := map[string]bool{"Paging from Prometheus": true}
	need := func(name, link string) {
		anchor, ok := strings.CutPrefix(link, runbooks)
		if !ok {
			t.Errorf("%s: runbook %q is not on the page", name, link)
			return
		}
		linked[anchor] = true
		for _, part := range []string{"**Means.**", "**Look at.**", "**Do.**", "**Ends**"} {
			if !strings.Contains(sections[anchor], part) {
				t.Errorf("%s: docs/runbooks.md#%s has no %s", name, anchor, part)
			}
		}
	}
	o := DefaultOptions()
	for _, r := range o.Rules {
		need(r.Name, r.Runbook)
	}
	for _, r := range allRules(o) {
		if link := valueOf(r.annotations, "runbook_url"); r.alert != "" && !strings.Contains(link, "{{") {
			need(r.alert, link)
		}
	}
	for title := range sections {
		if !linked[title] {
			t.Errorf("docs/runbooks.md: no alert leads to %q", title)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([a-z0-9-]+)\)`).FindAllStringSubmatch(string(page), -1) {
		if _, ok := sections[m[1]]; !ok {
			t.Errorf("docs/runbooks.md: no section #%s", m[1])
		}
	}
}
