package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// File is the file's path, or empty when the data came from elsewhere.
	File string
	// Line and Column count from 1; 0 where the problem is in no line of the
	// file, as in an environment variable.
	Line, Column int
	// Path is the key as the user wrote it, as in experiments[1].name, or empty
	// for the document as a whole.
	Path string
	// Message says what is wrong, with the value, and what is allowed.
	Message string
}

// String has the form file:line:column: path: message, without what is unknown.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" && p.Line > 0 {
		b.WriteString(p.File + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is everything that is wrong with a configuration, in the order of
// the file. It is an error when it is not empty.
type Problems []Problem //nolint:errname // reads as what it is: a list of problems

// Error is one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts problems that have no line last.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if (a.Line == 0) != (b.Line == 0) {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ps
}

// nearest returns the candidate with the fewest edits (insert, delete, replace,
// swap of neighbours) from got, when these are few enough for a likely typo:
// at most limit and below half of got's length.
func nearest(got string, candidates []string, limit int) (string, bool) {
	best, bestDistance := "", limit+1
	for _, c := range candidates {
		if d := distance(got, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best, bestDistance <= limit && 2*bestDistance <= max(len(got), 2)
}

// distance is the optimal string alignment distance, over bytes.
func distance(a, b string) int {
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitution := previous[j-1]
			if a[i-1] != b[j-1] {
				substitution++
			}
			row[j] = min(previous[j]+1, row[j-1]+1, substitution)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return previous[len(b)]
}
