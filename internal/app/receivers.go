package app

import (
	"errors"
	"fmt"

	"github.com/rampgauge/rampgauge/alerts/deliver"
	"github.com/rampgauge/rampgauge/alerts/receiver"
	"github.com/rampgauge/rampgauge/alerts/receiver/alertmanager"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty"
	"github.com/rampgauge/rampgauge/alerts/receiver/slack"
	"github.com/rampgauge/rampgauge/alerts/receiver/webhook"
	"github.com/rampgauge/rampgauge/internal/config"
)

// deliverOptions are the receivers and routes of a configuration. In the mode off
// there are none, so that everything counts as delivered at once.
func deliverOptions(c *config.Config) (deliver.Options, error) {
	var o deliver.Options
	if c.Alerts.Mode == config.AlertsOff {
		return o, nil
	}
	var errs []error
	for _, r := range c.Alerts.Receivers {
		built, err := newReceiver(&c.Alerts, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("alerts.receivers: %s: %w", r.Name, err))
			continue
		}
		o.Receivers = append(o.Receivers, built)
		o.Routes.Default = append(o.Routes.Default, r.Name)
	}
	for _, r := range c.Alerts.Routes {
		o.Routes.List = append(o.Routes.List, routesOf(r)...)
	}
	return o, errors.Join(errs...)
}

// routesOf is a route of the configuration. Changes have neither rule nor
// severity: where a route has one of these, they go a way of their own.
func routesOf(r config.Route) []deliver.Route {
	alert := deliver.Route{
		Experiment: r.Experiment, Owner: r.Owner, Severities: r.Severity, Rule: r.Rule,
		Changes: deliver.OnlyAlerts, Receivers: r.Receivers, Continue: r.Continue,
	}
	out := []deliver.Route{alert}
	if r.Changes {
		out = append(out, deliver.Route{
			Experiment: r.Experiment, Owner: r.Owner, Changes: deliver.OnlyChanges, Receivers: r.Receivers, Continue: r.Continue,
		})
	}
	return out
}

func newReceiver(a *config.Alerts, r config.Receiver) (deliver.Receiver, error) {
	switch {
	case r.PagerDuty != nil:
		p := r.PagerDuty
		return pagerduty.New(pagerduty.Options{
			Name: r.Name, RoutingKeyFile: p.RoutingKeyFile, URL: p.URL, NoChanges: !p.Changes, PerMinute: p.RatePerMinute, PageURL: a.PageURL,
		})
	case r.Slack != nil:
		return slack.New(slack.Options{Name: r.Name, URLFile: r.Slack.WebhookURLFile, NoChanges: !r.Slack.Changes, PageURL: a.PageURL})
	case r.Webhook != nil:
		w := r.Webhook
		return webhook.New(webhook.Options{
			Name: r.Name, URL: w.URL, URLFile: w.URLFile, SecretFile: w.SecretFile, Auth: authOf(w.BasicAuth, w.BearerTokenFile), Changes: w.Changes, PageURL: a.PageURL,
		})
	case r.Alertmanager != nil:
		m := r.Alertmanager
		return alertmanager.New(alertmanager.Options{Name: r.Name, URLs: m.URLs, Auth: authOf(m.BasicAuth, m.BearerTokenFile), PageURL: a.PageURL})
	}
	return nil, errNoType
}

// errNoType means that a receiver is of no type, which the configuration does
// not let through.
var errNoType = errors.New("is of no type")

func authOf(b config.BasicAuth, bearer string) receiver.Auth {
	return receiver.Auth{BearerTokenFile: bearer, Username: b.Username, PasswordFile: b.PasswordFile}
}
