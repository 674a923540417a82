package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rampgauge/rampgauge/alerts"
)

// presetRule lets a rule that is named like a default one start from that, so
// that a change of one key takes one key, unless it has another metric.
func (d *decoder) presetRule(n *yaml.Node, r *Rule) {
	name := d.peek(n, "name")
	for _, standard := range alerts.DefaultRules() {
		if standard.Name != name {
			continue
		}
		if metric := d.peek(n, "metric"); metric == "" || metric == string(standard.Metric) {
			*r = asRule(standard)
			if d.peek(n, "effect") != "" {
				r.Tolerance = 0
			}
		}
	}
}

// peek is the text of a key of a mapping, empty where there is none. Problems
// with it are reported when the mapping is decoded.
func (d *decoder) peek(n *yaml.Node, key string) string {
	quiet := &decoder{environ: d.environ, at: map[string]position{}, bad: map[string]bool{}}
	n, ok := quiet.resolve(n, "")
	if !ok || n.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			continue
		}
		value, ok := quiet.resolve(n.Content[i+1], "")
		if !ok || value.Kind != yaml.ScalarNode {
			return ""
		}
		text, _ := quiet.expand(value.Value, "")
		return text
	}
	return ""
}

// ruleNames are the places where rules' names were given first.
type ruleNames map[string]string

// rules checks a list of rules at path, of c's alerts or of a rule file. names
// is what was named before, by the place that is called so in messages.
func (d *decoder) rules(list []Rule, path, place string, names ruleNames, a Aggregation, checkAgainst aggregationChecks) {
	for i, r := range list {
		p := fmt.Sprintf("%s[%d]", path, i)
		if !d.good(p) {
			continue
		}
		for _, problem := range r.rule().Check() {
			text := problem.Text
			if problem.Field == "metric" {
				if best, ok := nearest(string(r.Metric), metricNames(), 3); ok {
					text += "; did you mean " + best + "?"
				}
			}
			if r.Metric == "" && problem.Field == "metric" {
				text = "is missing; want one of " + strings.Join(metricNames(), ", ")
			}
			d.require(false, p+"."+problem.Field, "%s", text)
		}
		if first, twice := names[r.Name]; twice {
			d.require(false, p+".name", "%q is the name of %s already", r.Name, first)
		} else if r.Name != "" {
			names[r.Name] = place + p
		}
		if checkAgainst.pane && r.Window > 0 {
			d.require(r.Window%a.Pane == 0, p+".window", "%s is not a multiple of aggregation.pane (%s)",
				formatDuration(r.Window), formatDuration(a.Pane))
		}
		if !checkAgainst.slices {
			continue
		}
		for j, slice := range r.Slices {
			known := slices.ContainsFunc(a.Slices, func(s []string) bool { return sliceKey(s) == sliceKey(slice) })
			d.require(known || len(slice) == 0, fmt.Sprintf("%s.slices[%d]", p, j),
				"[%s] is not among aggregation.slices; %s", strings.Join(slice, ", "), sliceList(a.Slices))
		}
	}
}

// aggregationChecks says which keys of aggregation are there to check against.
type aggregationChecks struct{ pane, slices bool }

func metricNames() []string {
	var names []string
	for _, m := range alerts.Metrics() {
		names = append(names, string(m))
	}
	return names
}

// sliceKey is the same for breakdowns that differ in order only.
func sliceKey(dimensions []string) string {
	return strings.Join(slices.Sorted(slices.Values(dimensions)), ",")
}

func sliceList(list [][]string) string {
	if len(list) == 0 {
		return "there are none"
	}
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = "[" + strings.Join(s, ", ") + "]"
	}
	return "those are " + strings.Join(parts, ", ")
}

func (d *decoder) alerts(c *Config) {
	a := &c.Alerts
	d.oneOf("alerts.mode", a.Mode, AlertsDirect, AlertsAlertmanager, AlertsOff)
	d.require(0 < a.FalseAlarmsPerMonth && a.FalseAlarmsPerMonth < 1, "alerts.false_alarms_per_month",
		"%g is out of range; want more than 0 and less than 1", a.FalseAlarmsPerMonth)
	if a.PageURL != "" {
		d.webURL("alerts.page_url", a.PageURL)
	}
	d.distinct("alerts.rule_files", a.RuleFiles)
	for i, pattern := range a.RuleFiles {
		_, err := filepath.Match(pattern, "")
		d.require(err == nil, fmt.Sprintf("alerts.rule_files[%d]", i), "%q is not a pattern; want a name in which * and ? stand for anything", pattern)
	}
	d.receivers(a)
	d.routes(a)
}

// aggregationGood says what of aggregation rules can be checked against.
func (d *decoder) aggregationGood() aggregationChecks {
	bad := func(prefix string) bool {
		for p := range d.bad {
			if strings.HasPrefix(p, prefix) {
				return true
			}
		}
		return false
	}
	return aggregationChecks{pane: d.good("aggregation", "aggregation.pane"), slices: d.good("aggregation") && !bad("aggregation.slices")}
}

func (d *decoder) receivers(a *Alerts) {
	first := map[string]int{}
	for i, r := range a.Receivers {
		p := fmt.Sprintf("alerts.receivers[%d]", i)
		d.require(r.Name != "", p+".name", "is missing; routes and messages need it")
		if other, twice := first[r.Name]; twice && r.Name != "" {
			d.require(false, p+".name", "%q is the name of alerts.receivers[%d] already", r.Name, other)
		} else {
			first[r.Name] = i
		}
		var kinds []string
		if r.PagerDuty != nil {
			kinds = append(kinds, "pagerduty")
			d.required(p+".pagerduty", "routing_key_file", r.PagerDuty.RoutingKeyFile, "name the file with the routing key")
			if r.PagerDuty.URL != "" {
				d.webURL(p+".pagerduty.url", r.PagerDuty.URL)
			}
			d.require(1 <= r.PagerDuty.RatePerMinute && r.PagerDuty.RatePerMinute <= 120, p+".pagerduty.rate_per_minute",
				"%d is out of range; want 1 to 120", r.PagerDuty.RatePerMinute)
		}
		if r.Slack != nil {
			kinds = append(kinds, "slack")
			d.required(p+".slack", "webhook_url_file", r.Slack.WebhookURLFile, "name the file with the webhook's URL")
		}
		if r.Webhook != nil {
			kinds = append(kinds, "webhook")
			d.webhook(p+".webhook", *r.Webhook)
		}
		if r.Alertmanager != nil {
			kinds = append(kinds, "alertmanager")
			d.alertmanager(p+".alertmanager", *r.Alertmanager)
		}
		if d.good(p) && !d.badBelow(p) {
			d.require(len(kinds) > 0, p, "has no type; want one of pagerduty, slack, webhook, alertmanager")
		}
		d.require(len(kinds) < 2, p, "has the types %s; want one a receiver", strings.Join(kinds, " and "))
		if len(kinds) == 1 && d.good("alerts.mode") {
			viaAlertmanager := kinds[0] == "alertmanager"
			d.require(a.Mode != AlertsDirect || !viaAlertmanager, p+".alertmanager",
				"would be a second paging path beside alerts.mode direct; want the mode alertmanager, or another type of receiver")
			d.require(a.Mode != AlertsAlertmanager || viaAlertmanager, p+"."+kinds[0],
				"would be a second paging path beside alerts.mode alertmanager; want the mode direct, or let the Alertmanager notify it")
		}
	}
}

// badBelow says whether a key inside of path has a problem.
func (d *decoder) badBelow(path string) bool {
	for p := range d.bad {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

// required checks that a key of the section at path has text.
func (d *decoder) required(path, key, got, hint string) {
	if d.good(path) {
		d.require(got != "", path+"."+key, "is missing; %s", hint)
	}
}

func (d *decoder) webhook(p string, w Webhook) {
	if d.good(p, p+".url", p+".url_file") {
		d.require(w.URL != "" || w.URLFile != "", p+".url", "is missing; give it, or url_file")
		d.require(w.URL == "" || w.URLFile == "", p+".url_file", "is given beside url; want one of them")
	}
	if w.URL != "" {
		d.webURL(p+".url", w.URL)
	}
	d.auth(p, w.BasicAuth, w.BearerTokenFile)
}

func (d *decoder) alertmanager(p string, a Alertmanager) {
	d.require(len(a.URLs) > 0, p+".urls", "is missing; give the instances' addresses, such as [http://127.0.0.1:9093]")
	for i, u := range a.URLs {
		d.webURL(fmt.Sprintf("%s.urls[%d]", p, i), u)
		d.require(!slices.Contains(a.URLs[:i], u), fmt.Sprintf("%s.urls[%d]", p, i), "is repeated")
	}
	d.auth(p, a.BasicAuth, a.BearerTokenFile)
}

// auth checks how the receiver at p says who it is.
func (d *decoder) auth(p string, basic BasicAuth, tokenFile string) {
	auth, token := p+".basic_auth", p+".bearer_token_file"
	if !d.good(auth, auth+".username", auth+".password_file", token) {
		return
	}
	d.require(basic.Username == "" || basic.PasswordFile != "", auth+".username", "needs password_file beside it")
	d.require(basic.PasswordFile == "" || basic.Username != "", auth+".password_file", "needs username beside it")
	d.require(tokenFile == "" || basic == (BasicAuth{}), token, "is given beside basic_auth; want one of them")
}

// webURL checks the address of a server. No message repeats it, as it may hold
// a secret, and a user in it is refused, as that is one.
func (d *decoder) webURL(path, s string) {
	u, err := url.Parse(s)
	d.require(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", path,
		"is not the address of a server; want http://… or https://…")
	d.require(err != nil || u.User == nil, path, "has a user in it; secrets are read from files")
}

func (d *decoder) routes(a *Alerts) {
	var names []string
	for _, r := range a.Receivers {
		names = append(names, r.Name)
	}
	for i, r := range a.Routes {
		p := fmt.Sprintf("alerts.routes[%d]", i)
		if d.good(p, p+".receivers") {
			d.require(len(r.Receivers) > 0, p+".receivers", "is missing; name who is told")
		}
		for j, s := range r.Severity {
			d.oneOf(fmt.Sprintf("%s.severity[%d]", p, j), string(s), string(alerts.Critical), string(alerts.Warning), string(alerts.Info))
		}
		d.distinct(p+".receivers", r.Receivers)
		for j, name := range r.Receivers {
			if !d.good("alerts.receivers") {
				break
			}
			text := fmt.Sprintf("%q is no receiver; there are %s", name, strings.Join(names, ", "))
			if len(names) == 0 {
				text = fmt.Sprintf("%q is no receiver; there are none", name)
			}
			if best, ok := nearest(name, names, 3); ok {
				text += "; did you mean " + best + "?"
			}
			d.require(slices.Contains(names, name), fmt.Sprintf("%s.receivers[%d]", p, j), "%s", text)
		}
	}
}
