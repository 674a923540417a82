// Package pagerdutytest is a stand-in for PagerDuty's Events API v2: it checks
// each field of each event by the documented rules, keeps incidents by routing
// and deduplication key, takes 120 calls a minute of a key, and can be told to
// misbehave.
//
// A Fake is an http.Handler. Client code reaches it through Transport, which
// stays in memory and so works on the virtual clock of a synctest bubble, or
// through a Server on 127.0.0.1. It is stricter than the real one in two ways:
// fields that the documentation does not know are refused, and so is a body that
// does not say that it is JSON.
package pagerdutytest
