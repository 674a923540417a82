// Package webhook sends notifications to any HTTP endpoint, in the shape that
// Alertmanager's webhooks have (version 4), so that what receives those takes
// these. Each call has one alert.
//
// A step of the ramp, if those are wanted, comes as a firing alert whose label
// action is change, whose severity is none, and which ends when it starts.
//
// With a secret, each call is signed. To verify one, with the raw body as it
// was received:
//
//  1. Take the headers X-Rampgauge-Timestamp (seconds since 1970) and
//     X-Rampgauge-Signature ("v1=" and 64 hexadecimal digits).
//  2. Refuse a timestamp more than five minutes from your clock: a call that was
//     overheard could be played again.
//  3. Compute HMAC-SHA256 with the secret over the timestamp as it stands in the
//     header, a full stop, and the body.
//  4. Compare in constant time with the signature.
//
// Verify does all of this for receivers in Go.
package webhook
