// Package page owns the web page for experiment owners: what an overview and an
// experiment look like in HTML, and nothing of how their numbers come about.
//
// It renders readings and counts that it is given. It runs no script, loads
// nothing from elsewhere, and shows no number without the n that it rests on;
// what cannot be said yet is shown as waiting, never as good.
package page
