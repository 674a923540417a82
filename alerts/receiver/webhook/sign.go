package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// The headers of a signed call.
const (
	TimestampHeader = "X-Rampgauge-Timestamp"
	SignatureHeader = "X-Rampgauge-Signature"
)

// Skew is how far the timestamp of a call may be from the clock of who verifies
// it.
const Skew = 5 * time.Minute

// ErrSignature is a call that whoever has the secret did not make, or not now.
var ErrSignature = errors.New("signature does not hold")

// Sign returns the value of the signature's header for a timestamp and a body.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(timestamp + "."))
	_, _ = mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Verify returns ErrSignature unless the call with this header and body was
// signed with the secret within Skew of now.
func Verify(secret string, header http.Header, body []byte, now time.Time) error {
	timestamp := header.Get(TimestampHeader)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > Skew {
		return ErrSignature
	}
	if !hmac.Equal([]byte(Sign(secret, timestamp, body)), []byte(header.Get(SignatureHeader))) {
		return ErrSignature
	}
	return nil
}
