package study

import (
	"fmt"
	"math"
	"strings"
)

// Files are the page and its plots by path below the directory of the page,
// which links to them.
func (s *Study) Files() map[string][]byte {
	files := map[string][]byte{"studies.md": s.page()}
	for _, section := range s.Sections {
		for _, p := range section.Plots {
			files[plotPath(p)] = p.SVG()
		}
	}
	return files
}

// PlotDirectory is where the plots are, beside the page.
const PlotDirectory = "studies"

func plotPath(p Plot) string { return PlotDirectory + "/" + p.File() + ".svg" }

func (s *Study) page() []byte {
	var b strings.Builder
	b.WriteString(`# Studies

What the statistics promise, measured on data whose truth is known. ` + "`make study`" + ` writes this page; ` +
		"`internal/study`" + ` draws the data and calls the same functions of ` + "`internal/stats`" + ` that the product does. The default alerts have [a study of their own](studies/alerts.md).

Figures have a 99 % interval, of Clopper and Pearson for rates. A claim that a rate is *at most* something holds unless that
whole interval is above it: the rate itself may be exactly what is claimed. A claim that a rate is *above* something, of a
contrast, holds if the whole interval is. All other claims are about the figure itself. Every verdict is computed.

`)
	if s.Options.Quick {
		b.WriteString("**A quick run, with too few replications to judge a claim by.**\n\n")
	}
	fmt.Fprintf(&b, "Seed %d. The same seed gives the same page.\n\n", s.Options.Seed)
	b.WriteString("| study | claims | hold | do not hold |\n|---|--:|--:|--:|\n")
	for _, section := range s.Sections {
		claims := 0
		for _, r := range section.Rows {
			if r.Claim.Kind != Information {
				claims++
			}
		}
		failed := len(section.Failed())
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %d | %s |\n", section.Title, section.ID, claims, claims-failed, orBold(failed))
	}
	for _, section := range s.Sections {
		section.write(&b)
	}
	return []byte(b.String())
}

func orBold(n int) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("**%d**", n)
}

func (s *Section) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n<a id=\"%s\"></a>\n\n## %s\n\n", s.ID, s.Title)
	for _, text := range s.Text {
		b.WriteString(text + "\n\n")
	}
	for _, p := range s.Plots {
		fmt.Fprintf(b, "![%s](%s)\n\n", p.Caption(), plotPath(p))
	}
	fmt.Fprintf(b, "| condition | %sreplications | measured | 99 %% interval | claim | verdict |\n", headers(s.Columns))
	b.WriteString("|---|" + strings.Repeat("--:|", len(s.Columns)) + "--:|--:|---|---|---|\n")
	for _, r := range s.Rows {
		fmt.Fprintf(b, "| %s |", r.Condition)
		for i := range s.Columns {
			note := ""
			if i < len(r.Notes) {
				note = r.Notes[i]
			}
			fmt.Fprintf(b, " %s |", note)
		}
		f := r.Figure
		fmt.Fprintf(b, " %d | %s | %s – %s | %s | %s |\n", f.N, s.Unit.format(f.Value), s.Unit.format(f.Low), s.Unit.format(f.High), s.claim(r.Claim), verdict(r))
	}
}

func headers(columns []string) string {
	line := ""
	for _, c := range columns {
		line += c + " | "
	}
	return line
}

func (s *Section) claim(c Claim) string {
	switch c.Kind {
	case RateAtMost, AtMost:
		return "at most " + s.Unit.bound(c.Bound)
	case AtLeast:
		return "at least " + s.Unit.bound(c.Bound)
	case Between:
		return s.Unit.bound(c.Bound) + " to " + s.Unit.bound(c.Upper)
	case Contrast:
		return "above " + s.Unit.bound(c.Bound)
	case Information:
	}
	return ""
}

func verdict(r Row) string {
	switch {
	case r.Claim.Kind == Information:
		return ""
	case r.Claim.Holds(r.Figure):
		return "holds"
	}
	return "**does not hold**"
}

// format writes a figure.
func (u Unit) format(v float64) string {
	switch {
	case math.IsInf(v, 0):
		return "∞"
	case u == Percent:
		return fmt.Sprintf("%.2f %%", 100*v)
	}
	return fmt.Sprintf("%.3f", v)
}

// bound writes what is claimed, which is a round number.
func (u Unit) bound(v float64) string {
	if u == Percent {
		return fmt.Sprintf("%.4g %%", math.Round(1e6*v)/1e4)
	}
	return fmt.Sprintf("%.4g", v)
}
