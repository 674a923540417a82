package study

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Plot is a picture of a section.
type Plot interface {
	// File is its name without the extension.
	File() string
	// Caption says what is to be seen, for those who do not see it too.
	Caption() string
	// SVG is the picture. It brings its own background and colours for light and
	// dark.
	SVG() []byte
}

// DotPlot has a figure a line, with its interval.
type DotPlot struct {
	Name, Title, Axis string
	Low, High         float64 // of the axis
	Percent           bool    // figures are shares
	Guides            []Guide
	Dots              []Dot
}

// Guide is a vertical line at a bound.
type Guide struct {
	At    float64
	Label string
}

// Dot is a line of a DotPlot.
type Dot struct {
	Label  string
	Figure Figure
	Faint  bool // a contrast or information
	Wrong  bool // its claim does not hold
}

// LinePlot has curves over x ≥ 0.
type LinePlot struct {
	Name, Title  string
	XAxis, YAxis string
	XTicks       []Tick
	YTicks       []Tick
	LogX, LogY   bool
	XLow, XHigh  float64
	YLow, YHigh  float64
	Curves       []Curve
}

// Tick is a mark on an axis.
type Tick struct {
	At    float64
	Label string
}

// Curve is a line, with a band around it where Low and High are given.
type Curve struct {
	Label     string
	X, Y      []float64
	Low, High []float64
	Class     string // one of the style's: a, b, c or guide
}

// File names the plot.
func (p *DotPlot) File() string { return p.Name }

// Caption is the title.
func (p *DotPlot) Caption() string { return p.Title }

// File names the plot.
func (p *LinePlot) File() string { return p.Name }

// Caption is the title.
func (p *LinePlot) Caption() string { return p.Title }

// style has a background of its own: where a page is dark and the reader's
// system is light, transparent pictures cannot be read.
const style = `<style>
.bg{fill:#ffffff}text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:14px;font-weight:600}.minor{fill:#59636e}
.grid{stroke:#d1d9e0;stroke-width:1}.guide{stroke:#bf3989;stroke-width:1.5;stroke-dasharray:5 3;fill:none}.guidetext{fill:#bf3989}
.a{stroke:#0969da;fill:#0969da}.b{stroke:#bc4c00;fill:#bc4c00}.c{stroke:#1a7f37;fill:#1a7f37}.faint{stroke:#818b98;fill:#818b98}.wrong{stroke:#d1242f;fill:#d1242f}
.line{fill:none;stroke-width:2}.band{stroke:none;fill-opacity:.18}.bar{stroke-width:2}
@media (prefers-color-scheme:dark){.bg{fill:#0d1117}text{fill:#e6edf3}.minor{fill:#9198a1}.grid{stroke:#30363d}
.guide{stroke:#f778ba}.guidetext{fill:#f778ba}.a{stroke:#4493f8;fill:#4493f8}.b{stroke:#f0883e;fill:#f0883e}.c{stroke:#3fb950;fill:#3fb950}
.faint{stroke:#6e7681;fill:#6e7681}.wrong{stroke:#ff7b72;fill:#ff7b72}}
</style>
`

const plotWidth = 960

// picture collects the elements of an SVG.
type picture struct{ strings.Builder }

func newPicture(title string, height int) *picture {
	p := &picture{}
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", plotWidth, height, plotWidth, height)
	fmt.Fprintf(p, "<title>%s</title>\n%s", html.EscapeString(title), style)
	fmt.Fprintf(p, `<rect class="bg" width="%d" height="%d" rx="6"/>`+"\n", plotWidth, height)
	p.text(16, 24, "title", "start", title)
	return p
}

func (p *picture) bytes() []byte {
	p.WriteString("</svg>\n")
	return []byte(p.String())
}

func (p *picture) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, html.EscapeString(s))
}

func (p *picture) segment(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(p, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`+"\n", x1, y1, x2, y2, class)
}

// SVG draws the dots.
func (p *DotPlot) SVG() []byte {
	const left, right, top, step = 470.0, 24.0, 52.0, 20.0
	bottom := top + step*float64(len(p.Dots))
	pic := newPicture(p.Title, int(bottom)+44)
	x := func(v float64) float64 {
		return left + (plotWidth-left-right)*(min(max(v, p.Low), p.High)-p.Low)/(p.High-p.Low)
	}
	spacing := roundSpacing((p.High - p.Low) / 6)
	for i := int(math.Ceil(p.Low/spacing - 1e-9)); float64(i)*spacing <= p.High+1e-9; i++ {
		v := float64(i) * spacing
		pic.segment(x(v), top-6, x(v), bottom, "grid")
		pic.text(x(v), bottom+16, "minor", "middle", p.tick(v))
	}
	pic.text((left+plotWidth-right)/2, bottom+34, "minor", "middle", p.Axis)
	for _, g := range p.Guides {
		pic.segment(x(g.At), top-6, x(g.At), bottom, "guide")
		pic.text(x(g.At), top-10, "guidetext", "middle", g.Label)
	}
	for i, d := range p.Dots {
		y := top + step*(float64(i)+0.5)
		class := "a"
		switch {
		case d.Wrong:
			class = "wrong"
		case d.Faint:
			class = "faint"
		}
		pic.text(left-10, y+4, "label", "end", d.Label)
		pic.segment(x(d.Figure.Low), y, x(d.Figure.High), y, class+" bar")
		switch v := d.Figure.Value; { // an arrow where the figure is beyond
		case v > p.High:
			fmt.Fprintf(pic, `<path d="M%.1f %.1fl-8 -5v10z" class="%s"/>`+"\n", x(p.High), y, class)
			pic.text(x(p.High)-12, y+4, "minor", "end", p.tick(v))
			continue
		case v < p.Low:
			fmt.Fprintf(pic, `<path d="M%.1f %.1fl8 -5v10z" class="%s"/>`+"\n", x(p.Low), y, class)
			pic.text(x(p.Low)+12, y+4, "minor", "start", p.tick(v))
			continue
		}
		fmt.Fprintf(pic, `<circle cx="%.1f" cy="%.1f" r="4" class="%s"/>`+"\n", x(d.Figure.Value), y, class)
	}
	return pic.bytes()
}

func (p *DotPlot) tick(v float64) string {
	if p.Percent {
		return fmt.Sprintf("%.4g %%", math.Round(1e4*v)/100)
	}
	return fmt.Sprintf("%.3g", math.Round(1e4*v)/1e4)
}

// roundSpacing is 1, 2 or 5 times a power of ten, at least v.
func roundSpacing(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*unit >= v*(1-1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}

// SVG draws the curves.
func (p *LinePlot) SVG() []byte {
	const left, right, top, height = 70.0, 210.0, 48.0, 300.0
	pic := newPicture(p.Title, int(top+height)+50)
	x := func(v float64) float64 { return left + (plotWidth-left-right)*position(v, p.XLow, p.XHigh, p.LogX) }
	y := func(v float64) float64 { return top + height*(1-position(v, p.YLow, p.YHigh, p.LogY)) }
	for _, t := range p.XTicks {
		pic.segment(x(t.At), top, x(t.At), top+height, "grid")
		pic.text(x(t.At), top+height+18, "minor", "middle", t.Label)
	}
	for _, t := range p.YTicks {
		pic.segment(left, y(t.At), plotWidth-right, y(t.At), "grid")
		pic.text(left-8, y(t.At)+4, "minor", "end", t.Label)
	}
	pic.text((left+plotWidth-right)/2, top+height+38, "minor", "middle", p.XAxis)
	pic.text(left-54, top-8, "minor", "start", p.YAxis)
	for _, c := range p.Curves {
		if len(c.Low) == len(c.X) {
			var d strings.Builder
			for i := range c.X {
				fmt.Fprintf(&d, "%.1f,%.1f ", x(c.X[i]), y(c.High[i]))
			}
			for i := len(c.X) - 1; i >= 0; i-- {
				fmt.Fprintf(&d, "%.1f,%.1f ", x(c.X[i]), y(c.Low[i]))
			}
			fmt.Fprintf(pic, `<polygon points="%s" class="%s band" style="stroke:none"/>`+"\n", strings.TrimSpace(d.String()), c.Class)
		}
		var d strings.Builder
		for i := range c.X {
			fmt.Fprintf(&d, "%.1f,%.1f ", x(c.X[i]), y(c.Y[i]))
		}
		fmt.Fprintf(pic, `<polyline points="%s" class="%s line" style="fill:none"/>`+"\n", strings.TrimSpace(d.String()), c.Class)
	}
	// Labels stand where the curves end, from the top down, as far apart as text is
	// high.
	ends := slices.Clone(p.Curves)
	slices.SortStableFunc(ends, func(a, b Curve) int { return cmp.Compare(b.Y[len(b.Y)-1], a.Y[len(a.Y)-1]) })
	at := math.Inf(-1)
	for _, c := range ends {
		at = max(at+15, y(c.Y[len(c.Y)-1]))
		pic.segment(plotWidth-right+6, at, plotWidth-right+22, at, c.Class+" line")
		pic.text(plotWidth-right+28, at+4, "label", "start", c.Label)
	}
	return pic.bytes()
}

// position is where v is between low and high, in [0, 1].
func position(v, low, high float64, log bool) float64 {
	v = min(max(v, low), high)
	if log {
		return math.Log(v/low) / math.Log(high/low)
	}
	return (v - low) / (high - low)
}
