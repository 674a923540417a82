// Package diagnosis owns the verdicts about an experiment: for now the gate,
// which says whether a ramp may go on.
//
// It is pure: estimates, alerts and the time are arguments, and equal arguments
// give equal answers. It reads no panes and computes no estimate of its own but
// one: what it is given are intervals for one look, and a gate is looked at again
// and again, so that it widens them to ones that hold at all looks together.
//
// Not enough evidence is an answer, and never go: what is missing, undefined or
// has a status other than ok leaves a guardrail undecided.
package diagnosis
