package pagerdutytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

type alertEvent struct {
	RoutingKey string        `json:"routing_key"`
	Action     string        `json:"event_action"`
	DedupKey   string        `json:"dedup_key"`
	Payload    *alertPayload `json:"payload"`
	Images     []image       `json:"images"`
	Links      []link        `json:"links"`
	Client     string        `json:"client"`
	ClientURL  string        `json:"client_url"`
}

type alertPayload struct {
	Summary   string          `json:"summary"`
	Source    string          `json:"source"`
	Severity  string          `json:"severity"`
	Timestamp string          `json:"timestamp"`
	Component string          `json:"component"`
	Group     string          `json:"group"`
	Class     string          `json:"class"`
	Details   json.RawMessage `json:"custom_details"`
}

type changeEvent struct {
	RoutingKey string         `json:"routing_key"`
	Payload    *changePayload `json:"payload"`
	Images     []image        `json:"images"`
	Links      []link         `json:"links"`
}

type changePayload struct {
	Summary   string          `json:"summary"`
	Source    string          `json:"source"`
	Timestamp string          `json:"timestamp"`
	Details   json.RawMessage `json:"custom_details"`
}

type image struct {
	Src  string `json:"src"`
	Href string `json:"href"`
	Alt  string `json:"alt"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

var routingKeyForm = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)

// routingKey finds the key of a body that may be wrong otherwise.
func routingKey(body []byte) string {
	var e struct {
		RoutingKey string `json:"routing_key"`
	}
	_ = json.Unmarshal(body, &e) // what is wrong is said by the check
	return e.RoutingKey
}

// problems collects what is wrong with an event.
type problems []error

func (p *problems) require(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Errorf(format, args...))
	}
}

func decode(header http.Header, body []byte, into any) error {
	if kind, _, err := mime.ParseMediaType(header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fmt.Errorf("content type is %q", header.Get("Content-Type"))
	}
	if len(body) > maxBody {
		return fmt.Errorf("body is larger than %d bytes", maxBody)
	}
	if !utf8.Valid(body) {
		return errors.New("body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("body goes on behind the event")
	}
	return nil
}

func checkAlert(header http.Header, body []byte) (alertEvent, error) {
	var e alertEvent
	if err := decode(header, body, &e); err != nil {
		return e, err
	}
	var p problems
	p.require(routingKeyForm.MatchString(e.RoutingKey), "routing_key is not 32 letters and digits")
	p.require(slices.Contains([]string{"trigger", "acknowledge", "resolve"}, e.Action), "event_action %q is unknown", e.Action)
	p.require(utf8.RuneCountInString(e.DedupKey) <= 255, "dedup_key is longer than 255 characters")
	p.require(e.Action == "trigger" || e.DedupKey != "", "dedup_key is missing, which only a trigger can do without")
	p.require(e.Action != "trigger" || e.Payload != nil, "payload is missing")
	if e.Payload != nil {
		checkSummary(&p, e.Payload.Summary)
		p.require(e.Payload.Source != "", "payload.source is empty")
		p.require(slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity), "payload.severity %q is unknown", e.Payload.Severity)
		checkTimestamp(&p, e.Payload.Timestamp)
		checkDetails(&p, e.Payload.Details)
	}
	checkImages(&p, e.Images)
	checkLinks(&p, e.Links)
	p.require(e.ClientURL == "" || isURL(e.ClientURL, "http", "https"), "client_url %q is not a URL", e.ClientURL)
	return e, errors.Join(p...)
}

func checkChange(header http.Header, body []byte) (changeEvent, error) {
	var e changeEvent
	if err := decode(header, body, &e); err != nil {
		return e, err
	}
	var p problems
	p.require(routingKeyForm.MatchString(e.RoutingKey), "routing_key is not 32 letters and digits")
	p.require(e.RoutingKey == "" || e.RoutingKey[0] != 'R', "routing_key is of a ruleset, which takes no change events")
	p.require(e.Payload != nil, "payload is missing")
	if e.Payload != nil {
		checkSummary(&p, e.Payload.Summary)
		checkTimestamp(&p, e.Payload.Timestamp)
		checkDetails(&p, e.Payload.Details)
	}
	checkImages(&p, e.Images)
	checkLinks(&p, e.Links)
	return e, errors.Join(p...)
}

func checkSummary(p *problems, summary string) {
	p.require(summary != "", "payload.summary is empty")
	p.require(utf8.RuneCountInString(summary) <= 1024, "payload.summary is longer than 1024 characters")
}

func checkTimestamp(p *problems, timestamp string) {
	if timestamp != "" {
		_, err := time.Parse(time.RFC3339, timestamp)
		p.require(err == nil, "payload.timestamp %q is not ISO 8601", timestamp)
	}
}

// checkDetails wants an object in which no name comes twice: one of them would
// be lost.
func checkDetails(p *problems, details json.RawMessage) {
	if len(details) == 0 {
		return
	}
	d := json.NewDecoder(bytes.NewReader(details))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		p.require(false, "payload.custom_details is not an object")
		return
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		text, ok := name.(string)
		if err != nil || !ok {
			return // decode has seen that it is JSON
		}
		p.require(!seen[text], "payload.custom_details has %q twice", text)
		seen[text] = true
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return
		}
	}
}

func checkImages(p *problems, images []image) {
	for i, m := range images {
		p.require(isURL(m.Src, "https"), "images[%d].src %q is not an https URL", i, m.Src)
		p.require(m.Href == "" || isURL(m.Href, "http", "https"), "images[%d].href %q is not a URL", i, m.Href)
	}
}

func checkLinks(p *problems, links []link) {
	for i, l := range links {
		p.require(isURL(l.Href, "http", "https"), "links[%d].href %q is not a URL", i, l.Href)
	}
}

func isURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}
