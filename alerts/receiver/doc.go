// Package receiver holds what the receivers of notifications have in common:
// an HTTP client that waits for nobody for ever, secrets from files, errors that
// say whether to try again, and the labels that alerts carry.
//
// It knows neither queues nor routes: alerts/deliver decides what is sent when,
// and what is sent again.
package receiver
