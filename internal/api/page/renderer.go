package page

import (
	"bytes"
	"embed"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

//go:embed templates/*.html style.css
var files embed.FS

// StylePath is where the style sheet is served. Pages may not carry styles of
// their own: their content security policy allows this file only.
const StylePath = "/assets/style.css"

// refreshSeconds is how often a page loads itself again for who asked for that.
const refreshSeconds = 10

// Renderer renders pages. It is safe for concurrent use.
type Renderer struct {
	version   string
	style     []byte
	styleTag  string // changes with the style sheet
	templates *template.Template
}

// New returns a Renderer that shows the given program version.
func New(version string) *Renderer {
	style, err := files.ReadFile("style.css")
	if err != nil {
		panic("BUG: embedded style sheet: " + err.Error())
	}
	sum := fnv.New64a()
	_, _ = sum.Write(style) // a hash takes every write
	return &Renderer{
		version:   version,
		style:     style,
		styleTag:  hex.EncodeToString(sum.Sum(nil)),
		templates: template.Must(template.New("").ParseFS(files, "templates/*.html")),
	}
}

// Overview renders the first page.
func (p *Renderer) Overview(o *Overview) ([]byte, error) {
	v := overviewView{layout: p.layout("Experiments", "/", o.RefreshSeconds), Health: makeHealth(&o.Health)}
	for i := range o.Experiments {
		v.Experiments = append(v.Experiments, makeExperiment(&o.Experiments[i], false))
	}
	return p.render("overview.html", v)
}

// Detail renders the page of one experiment.
func (p *Renderer) Detail(d *Detail) ([]byte, error) {
	e := &d.Experiment
	return p.render("detail.html", detailView{
		layout:     p.layout(e.Name, address(&e.Query), d.RefreshSeconds),
		Health:     makeHealth(&d.Health),
		Experiment: makeExperiment(e, true),
		Filters:    filters(&e.Query),
		Reset:      experimentPath(e.Name),
		Breakdowns: breakdownLinks(e),
		Spans:      spanLinks(e),
	})
}

// Error renders a page that says why there is no other.
func (p *Renderer) Error(status int, message string) ([]byte, error) {
	return p.render("error.html", errorView{p.layout(http.StatusText(status), "", 0), fmt.Sprint(status), message})
}

func (p *Renderer) layout(title, self string, refresh int) layout {
	l := layout{Title: title, StylePath: StylePath + "?v=" + p.styleTag, Version: p.version, RefreshSeconds: refresh}
	u, err := url.Parse(self)
	if self == "" || err != nil {
		return l
	}
	if refresh > 0 {
		l.RefreshLink = &link{Text: "stop refreshing", URL: self}
		return l
	}
	q := u.Query()
	q.Set("refresh", strconv.Itoa(refreshSeconds))
	u.RawQuery = q.Encode()
	l.RefreshLink = &link{Text: fmt.Sprintf("refresh every %d s", refreshSeconds), URL: u.String()}
	return l
}

// render renders into memory first, so that a failure is no half page.
func (p *Renderer) render(name string, v any) ([]byte, error) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, v); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// Style serves the style sheet. Its address changes with its content, so it may
// be kept.
func (p *Renderer) Style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	if r.URL.Query().Get("v") == p.styleTag {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(p.style)
}
