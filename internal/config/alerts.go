package config

import (
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Alerts says what somebody is told of, who that is, and which path pages take:
// one a deployment.
type Alerts struct {
	// `direct` (this program notifies the receivers), `alertmanager` (it notifies
	// an Alertmanager, which does) or `off` (nobody is notified).
	Mode string `yaml:"mode"`
	// Alert rules beside the default ones. One that is named like a default rule
	// replaces it, and starts from it unless it has another metric: `{name:
	// coverage-drop, disabled: true}` is enough.
	Rules []Rule `yaml:"rules"`
	// YAML files with more rules in a list `rules`, relative to this file, `*` and
	// `?` allowed. They are read again on reload.
	RuleFiles []string `yaml:"rule_files"`
	// How many false alarms an experiment may have in 30 days, over all its arms,
	// slices and metrics together. Above 0, below 1.
	FalseAlarmsPerMonth float64 `yaml:"false_alarms_per_month"`
	// Base URL of this service's page, for links in messages. Empty: no links.
	PageURL string `yaml:"page_url"`
	// Who can be told. In the mode `direct` of the types pagerduty, slack and
	// webhook, in the mode `alertmanager` of the type alertmanager alone.
	Receivers []Receiver `yaml:"receivers"`
	// Who is told of what: the first route that fits, and the next one that does if
	// it says `continue`. What fits none goes to every receiver, so that a gap
	// between routes hides nothing.
	Routes []Route `yaml:"routes"`

	// FromFiles are the rules of the rule files, as Load read them.
	FromFiles []Rule `yaml:"-"`
}

// The values of Alerts.Mode.
const (
	AlertsDirect       = "direct"
	AlertsAlertmanager = "alertmanager"
	AlertsOff          = "off"
)

// Effective is every rule in force: the default ones, replaced and followed by
// those of the configuration and its rule files. Disabled ones are among them.
func (a Alerts) Effective() []alerts.Rule {
	var own []alerts.Rule
	for _, list := range [][]Rule{a.Rules, a.FromFiles} {
		for _, r := range list {
			own = append(own, r.rule())
		}
	}
	return alerts.Merge(own)
}

// Rule is one alert rule.
type Rule struct {
	// Name, in messages and in routes. A default rule's name replaces that one.
	Name string `yaml:"name,required"`
	// What is watched: `calibration`, `candidate_calibration`, `log_mae`,
	// `log_loss`, `coverage`, `version_skew`, `serving_success`, `serving_p99`,
	// `stage`, `candidates`, `sample_ratio`, `conversion_delay`, `unmatched`,
	// `no_data`, `watermark` or `consumer_lag`.
	Metric alerts.Metric `yaml:"metric,required"`
	// What it is compared with: `control` (the control arm in the same window),
	// `past` (the arm itself, before), `baseline` (the offline profile), `level` (a
	// number that it ought to have) or `limit` (one that it must not exceed). Empty:
	// what suits the metric best.
	Against alerts.Against `yaml:"against"`
	// What the metric ought to be, for `against: level`. Calibrations: 1 where it is 0.
	Level float64 `yaml:"level"`
	// Least size of what is told of: relative, or a difference of shares, as the
	// metric has it; for `against: limit` the limit.
	Effect float64 `yaml:"effect"`
	// What is put up with, in the units of `effect` and below it: the null hypothesis
	// of the test, and where an alert can end. 0: half of `effect`. A default rule's
	// own goes with its own effect.
	Tolerance float64 `yaml:"tolerance"`
	// `up`, `down` or `either`. Empty: the way that does harm.
	Direction alerts.Direction `yaml:"direction"`
	// How long evidence and effect must have held before the alert fires.
	For time.Duration `yaml:"for"`
	// How long the effect must have been gone before the alert is resolved. 0: 2m.
	KeepFiringFor time.Duration `yaml:"keep_firing_for"`
	// Event time that one step of the test takes in, a multiple of
	// `aggregation.pane`. 0: one pane.
	Window time.Duration `yaml:"window"`
	// How many independent events (auctions, calls, conversions) each arm needs
	// before the rule says anything. 0: 100.
	MinEvents float64 `yaml:"min_events"`
	// Feature families, towers, stages, optimization types or topics to watch, as
	// the metric has them. Empty: all.
	Keys []string `yaml:"keys"`
	// Breakdowns that are tested beneath the total, and named with it; each has to
	// be among `aggregation.slices`.
	Slices [][]string `yaml:"slices"`
	// `critical`, `warning` or `info`. Empty: `warning`.
	Severity alerts.Severity `yaml:"severity"`
	// What is wrong when it fires, in a few words.
	Summary string `yaml:"summary"`
	// Address of a page that says what to do.
	Runbook string `yaml:"runbook"`
	// Whether the rule is off.
	Disabled bool `yaml:"disabled"`
}

// rule is r as package alerts has it.
func (r Rule) rule() alerts.Rule {
	return alerts.Rule{
		Name: r.Name, Metric: r.Metric, Against: r.Against, Level: r.Level, Effect: r.Effect, Tolerance: r.Tolerance, Direction: r.Direction,
		For: r.For, KeepFiring: r.KeepFiringFor, Window: r.Window, MinEvents: r.MinEvents, Keys: r.Keys, Slices: r.Slices,
		Severity: r.Severity, Summary: r.Summary, Runbook: r.Runbook, Disabled: r.Disabled,
	}
}

// asRule is the inverse of Rule.rule.
func asRule(r alerts.Rule) Rule {
	return Rule{
		Name: r.Name, Metric: r.Metric, Against: r.Against, Level: r.Level, Effect: r.Effect, Tolerance: r.Tolerance, Direction: r.Direction,
		For: r.For, KeepFiringFor: r.KeepFiring, Window: r.Window, MinEvents: r.MinEvents, Keys: r.Keys, Slices: r.Slices,
		Severity: r.Severity, Summary: r.Summary, Runbook: r.Runbook, Disabled: r.Disabled,
	}
}

// Receiver is somebody to be told: of exactly one type.
type Receiver struct {
	// Name, for routes and in the service's metrics.
	Name string `yaml:"name,required"`
	// PagerDuty, through its Events API v2.
	PagerDuty *PagerDuty `yaml:"pagerduty"`
	// Slack, through an incoming webhook.
	Slack *Slack `yaml:"slack"`
	// Any other program, by POST requests with JSON.
	Webhook *Webhook `yaml:"webhook"`
	// An Alertmanager cluster, which does the rest.
	Alertmanager *Alertmanager `yaml:"alertmanager"`
}

// PagerDuty is one integration of a PagerDuty service.
type PagerDuty struct {
	// File with the integration's routing key; line ends at its end are dropped.
	RoutingKeyFile string `yaml:"routing_key_file,required"`
	// Base URL of the Events API. Empty: PagerDuty's own.
	URL string `yaml:"url"`
	// Most requests a minute: 1 to 120, which is what PagerDuty takes.
	RatePerMinute int `yaml:"rate_per_minute"`
	// Whether steps of the ramp are sent as change events. Integrations of an event
	// orchestration, whose keys begin with R, take none.
	Changes bool `yaml:"changes"`
}

// defaultPagerDuty leaves room for whatever else uses the routing key.
func defaultPagerDuty() PagerDuty { return PagerDuty{RatePerMinute: 55, Changes: true} }

// Slack is one incoming webhook, which has its channel.
type Slack struct {
	// File with the webhook's URL, which is a secret.
	WebhookURLFile string `yaml:"webhook_url_file,required"`
	// Whether steps of the ramp are told.
	Changes bool `yaml:"changes"`
}

// defaultSlack tells of steps of the ramp.
func defaultSlack() Slack { return Slack{Changes: true} }

// Webhook is a program that takes alerts in Alertmanager's form.
type Webhook struct {
	// Where to send. Of a URL with secrets in it, put the whole in `url_file`.
	URL string `yaml:"url"`
	// File with the URL, instead of `url`.
	URLFile string `yaml:"url_file"`
	// File with the key that messages are signed with, by HMAC-SHA256. Empty: no
	// signature.
	SecretFile string `yaml:"secret_file"`
	// User to send with.
	BasicAuth BasicAuth `yaml:"basic_auth"`
	// File with a bearer token to send, instead of a user.
	BearerTokenFile string `yaml:"bearer_token_file"`
	// Whether steps of the ramp are sent too, in the same form.
	Changes bool `yaml:"changes"`
}

// Alertmanager is a cluster of Alertmanagers: each of them is told everything.
type Alertmanager struct {
	// Base URLs, one an instance, as in `[http://127.0.0.1:9093]`.
	URLs []string `yaml:"urls,required"`
	// User to send with.
	BasicAuth BasicAuth `yaml:"basic_auth"`
	// File with a bearer token to send, instead of a user.
	BearerTokenFile string `yaml:"bearer_token_file"`
}

// BasicAuth is a user of HTTP basic authentication.
type BasicAuth struct {
	// User name. Empty: none is sent.
	Username string `yaml:"username"`
	// File with the password. Goes with `username`.
	PasswordFile string `yaml:"password_file"`
}

// Route says who is told of some alerts. What is left out fits everything.
type Route struct {
	// Name of the experiment, `*` and `?` allowed.
	Experiment string `yaml:"experiment"`
	// Owner of the experiment.
	Owner string `yaml:"owner"`
	// Severities.
	Severity []alerts.Severity `yaml:"severity"`
	// Name of the rule, `*` and `?` allowed.
	Rule string `yaml:"rule"`
	// Whether steps of the ramp (and starts and stops) go this way as well as alerts.
	// They have neither rule nor severity, so that those two do not bind them. It is
	// the receivers that say whether they are told of steps at all.
	Changes bool `yaml:"changes"`
	// Names of receivers.
	Receivers []string `yaml:"receivers,required"`
	// Whether the routes after this one are tried as well.
	Continue bool `yaml:"continue"`
}

// defaultRoute tells of changes too.
func defaultRoute() Route { return Route{Changes: true} }
