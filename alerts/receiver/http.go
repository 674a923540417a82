package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// DefaultTimeout is how long a call may take, from dialling to the last byte of
// the answer.
const DefaultTimeout = 10 * time.Second

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// maxText is how much of a refusal is repeated in an error, in bytes.
const maxText = 300

// Request is one call as it goes out, or, for people, with its secrets masked.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
}

// Limit is how often a receiver may be called. Receivers with the same Key,
// which must tell no secret, share it.
type Limit struct {
	Key   string
	Calls int // within Per; 0: as often as need be
	Per   time.Duration
}

// NewClient returns a client of its own for a receiver. timeout 0 means
// DefaultTimeout; transport nil means a new one. It follows no redirects: they
// would carry secrets to where nobody has sent them.
func NewClient(timeout time.Duration, transport http.RoundTripper) *http.Client {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 4,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
		}
	}
	return &http.Client{
		Timeout: timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do makes a call and wants an answer of 200 to 299, whole. Its errors are
// *Error and do not contain the URL, which may be a secret.
func Do(ctx context.Context, c *http.Client, r Request, now func() time.Time) error {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return &Error{Kind: Refused, Err: errors.New("request: the address cannot be parsed")}
	}
	req.Header = r.Header.Clone()
	resp, err := c.Do(req)
	if err != nil {
		return &Error{Kind: Unavailable, Err: WithoutURL(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Answered(resp.StatusCode, resp.Header, now(), string(body[:min(len(body), maxText)]))
	}
	if err != nil {
		return &Error{Kind: Unavailable, Status: resp.StatusCode, Err: fmt.Errorf("answer %d: broke off: %w", resp.StatusCode, err)}
	}
	return nil
}

// WithoutURL strips the address off an error of net/http.
func WithoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// JSONHeader is the header of a call with a JSON body.
func JSONHeader() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "User-Agent": {"rampgauge"}}
}

// CheckURL says what is wrong with the address of a receiver, without repeating
// more of it than its host.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("has the scheme %q; want http or https", u.Scheme)
	case u.Host == "":
		return errors.New("has no host")
	case u.User != nil:
		return fmt.Errorf("of host %s holds a user: put it into a file", u.Host)
	}
	return nil
}

// MaskPath keeps of an address only what is no secret: scheme and host.
func MaskPath(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return Mask
	}
	return u.Scheme + "://" + u.Host + "/" + Mask
}
