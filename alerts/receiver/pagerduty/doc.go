// Package pagerduty sends notifications to PagerDuty: triggers and resolves as
// alert events, steps of the ramp as change events, both of the Events API v2.
//
// It writes one call for one notification and keeps no state: incidents are
// joined by PagerDuty on the deduplication key, so that sending the same
// notification again is harmless. A change event has no such key and would be
// shown twice.
package pagerduty
