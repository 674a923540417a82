package api_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
)

func TestPages(t *testing.T) {
	h := api.New(options(apitest.Small())).Handler()
	for _, tc := range []struct {
		target string
		status int
		want   []string
	}{
		{"/", 200, []string{"openbandit", "Data to", "caught up", "waiting: no auction of control arm"}},
		{"/?refresh=10", 200, []string{`<meta http-equiv="refresh" content="10">`, "stop refreshing"}},
		{"/experiments/openbandit", 200, []string{"Broken down by", `href="/experiments/openbandit?slice=surface"`, "Funnel", "Item embedding versions"}},
		{"/experiments/openbandit?slice=surface", 200, []string{"By surface", "surface: home:top", "Feature coverage by surface"}},
		{"/experiments/openbandit?where=surface:search", 200, []string{"where surface: search", "Show everything"}},
		{"/experiments/nope", 404, []string{"Not Found", "&#34;nope&#34;"}},
		{"/experiments/openbandit?slice=device", 404, []string{"kept are"}},
		{"/experiments/openbandit?from=x", 400, []string{"Unix milliseconds"}},
		{"/?refresh=0", 400, []string{"refresh"}},
		{"/nope", 404, []string{"there is nothing here"}},
	} {
		t.Run(tc.target, func(t *testing.T) {
			status, body := get(t, h, tc.target)
			if status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			for _, want := range tc.want {
				if !strings.Contains(body, want) {
					t.Errorf("page lacks %q", want)
				}
			}
		})
	}
}

// TestNamesAreText follows an experiment whose name is markup, a path and a
// query through every answer that shows it.
func TestNamesAreText(t *testing.T) {
	h := api.New(options(apitest.Small())).Handler()
	own := "/experiments/" + url.PathEscape(apitest.Hostile)
	for _, target := range []string{"/", own, own + "?slice=surface", "/experiments/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/experiments/openbandit?where=surface:%3Cscript%3E"} {
		_, body := get(t, h, target)
		for _, bad := range []string{"<script", "<b>bold", `""><`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", target, bad)
			}
		}
	}
	_, overview := get(t, h, "/")
	link := regexp.MustCompile(`href="(/experiments/[^"]*script[^"]*)"`).FindStringSubmatch(overview)
	if link == nil {
		t.Fatal("the overview has no link to the experiment")
	}
	if status, body := get(t, h, html.UnescapeString(link[1])); status != 200 || !strings.Contains(body, "alert(1)") {
		t.Errorf("the overview's link %s = %d", link[1], status)
	}
	if status, body := get(t, h, "/api/v1"+own+"/summary"); status != 200 || strings.Contains(body, "<") {
		t.Errorf("summary = %d %s", status, body)
	}
}

// TestNothingRunsOrLoads holds the pages to what their policy allows.
func TestNothingRunsOrLoads(t *testing.T) {
	h := api.New(options(apitest.Ramp(600))).Handler()
	for _, target := range []string{"/", "/experiments/l1-cvr-v2?slice=surface", "/experiments/nope"} {
		r := do(t, h, http.MethodGet, target)
		if got := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'self'; img-src 'self' data:;") {
			t.Errorf("%s: policy %q", target, got)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: answers may be sniffed", target)
		}
		_, body := get(t, h, target)
		for _, bad := range []string{"<script", " style=", "<style", " onload=", " onclick=", "javascript:", "https://"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", target, bad)
			}
		}
		sheet := regexp.MustCompile(`<link rel="stylesheet" href="([^"]+)">`).FindStringSubmatch(body)
		if sheet == nil {
			t.Fatalf("%s has no style sheet", target)
		}
		style := do(t, h, http.MethodGet, sheet[1])
		if style.StatusCode != 200 || style.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(style.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("style sheet %s = %d, %v", sheet[1], style.StatusCode, style.Header)
		}
	}
}

// TestEveryTableIsAccessible checks what assistive technology needs of a table.
func TestEveryTableIsAccessible(t *testing.T) {
	_, body := get(t, api.New(options(apitest.Ramp(600))).Handler(), "/experiments/l1-cvr-v2?slice=surface")
	tables := strings.Count(body, "<table>")
	if tables < 8 {
		t.Errorf("%d tables, want at least 8", tables)
	}
	if n := strings.Count(body, "<caption>"); n != tables {
		t.Errorf("%d captions for %d tables", n, tables)
	}
	if regexp.MustCompile(`<th(\s[^>]*)?>`).MatchString(regexp.MustCompile(`<th scope="(col|row)"[^>]*>`).ReplaceAllString(body, "")) {
		t.Error("a heading has no scope")
	}
	if !strings.Contains(body, `<html lang="en">`) || strings.Count(body, "<h1>") != 1 || !strings.Contains(body, `<main id="main">`) {
		t.Error("the page lacks a language, one main heading or a main part")
	}
}

func TestEmptyServiceWaits(t *testing.T) {
	o := options(aggregator.NewMerged(apitest.Options()))
	o.Pipeline = &apitest.Pipeline{}
	_, body := get(t, api.New(o).Handler(), "/")
	for _, want := range []string{"No experiment has been seen yet", "waiting: partitions are being assigned and restored"} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
}
