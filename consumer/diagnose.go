package consumer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
)

// diagnose finds out why no broker gave an answer. kafka-go reports most
// causes as the end of the connection, so each step is tried by itself here,
// broker by broker. cause is what is returned when all of it works.
func (c *Consumer) diagnose(ctx context.Context, cause error) error {
	var errs []error
	for _, b := range c.options.Brokers {
		err := c.probe(ctx, b)
		if err != nil && !heals(err) {
			return err
		}
		if err == nil {
			return fmt.Errorf("broker %s: %w: %w", b, ErrUnreachable, cause)
		}
		errs = append(errs, err)
	}
	return oneLine(errs)
}

// probe connects to one broker step by step.
func (c *Consumer) probe(ctx context.Context, addr string) error {
	conn, err := c.connect(ctx, addr)
	if err != nil {
		// The address is in err already when it comes from the network.
		return fmt.Errorf("kafka.brokers: %s: %w: %w; is the broker up and the address right?", addr, ErrUnreachable, err)
	}
	defer conn.Close()
	if c.options.TLS != nil {
		if err := c.probeTLS(ctx, addr, conn); err != nil {
			return err
		}
		if conn, err = c.connectTLS(ctx, addr); err != nil {
			return fmt.Errorf("kafka.brokers: %s: %w: %w", addr, ErrUnreachable, err)
		}
		defer conn.Close()
	}
	if err := c.hello(conn); err != nil {
		if c.options.TLS == nil && c.speaksTLS(ctx, addr) {
			return fmt.Errorf("kafka.tls: %s speaks TLS, kafka.tls.enabled is false; enable it or use the plaintext port: %w", addr, ErrTLS)
		}
		if c.options.TLS != nil && clientCertificateRefused(err) {
			return fmt.Errorf("kafka.tls: %s refuses the client certificate; check cert_file and key_file: %w: %w", addr, ErrTLS, err)
		}
		return fmt.Errorf("kafka.brokers: %s: no answer to the first request: %w: %w", addr, ErrUnreachable, err)
	}
	return c.probeSASL(ctx, addr, conn)
}

func (c *Consumer) connect(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	conn, err := c.options.dial()(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(c.options.RequestTimeout)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Consumer) connectTLS(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := c.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	return tls.Client(conn, serverName(c.options.TLS, addr)), nil
}

func serverName(config *tls.Config, addr string) *tls.Config {
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	return config
}

// probeTLS shakes hands on conn.
func (c *Consumer) probeTLS(ctx context.Context, addr string, conn net.Conn) error {
	err := tls.Client(conn, serverName(c.options.TLS, addr)).HandshakeContext(ctx)
	if err == nil {
		return nil
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid):
		return fmt.Errorf("kafka.tls: the certificate of %s is not accepted; check ca_file and the broker's name: %w: %w", addr, ErrTLS, err)
	case clientCertificateRefused(err):
		return fmt.Errorf("kafka.tls: %s refuses the client certificate; check cert_file and key_file: %w: %w", addr, ErrTLS, err)
	case c.speaksPlaintext(ctx, addr):
		return fmt.Errorf("kafka.tls: %s speaks plaintext, kafka.tls.enabled is true; use the TLS port or disable it: %w", addr, ErrTLS)
	}
	return fmt.Errorf("kafka.brokers: %s: TLS handshake: %w: %w", addr, ErrUnreachable, err)
}

// clientCertificateRefused recognises the broker's alert by its text: crypto/tls
// gives alerts received no other form.
func clientCertificateRefused(err error) bool {
	return strings.Contains(err.Error(), "remote error: tls: ") && strings.Contains(err.Error(), "certificate")
}

// hello asks for the broker's API versions, which needs no authentication.
func (c *Consumer) hello(conn net.Conn) error {
	pc := protocol.NewConn(conn, c.options.ClientID)
	res, err := pc.RoundTrip(new(apiversions.Request))
	if err != nil {
		return err
	}
	for _, k := range res.(*apiversions.Response).ApiKeys {
		if protocol.ApiKey(k.ApiKey) == protocol.Fetch && k.MaxVersion < 4 {
			return fmt.Errorf("fetch v%d: %w", k.MaxVersion, ErrBrokerVersion)
		}
	}
	return nil
}

func (c *Consumer) speaksPlaintext(ctx context.Context, addr string) bool {
	conn, err := c.connect(ctx, addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	return c.hello(conn) == nil
}

// speaksTLS says whether a TLS server answers, whatever it thinks of us.
func (c *Consumer) speaksTLS(ctx context.Context, addr string) bool {
	conn, err := c.connect(ctx, addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	// Nothing is sent over this connection, so its peer need not be verified.
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	return err == nil || strings.Contains(err.Error(), "remote error: tls: ")
}

// probeSASL authenticates, or finds out whether that was needed.
func (c *Consumer) probeSASL(ctx context.Context, addr string, conn net.Conn) error {
	if c.options.SASL == nil {
		// A listener without SASL refuses any handshake as out of place.
		pc := protocol.NewConn(conn, c.options.ClientID)
		pc.SetVersions(map[protocol.ApiKey]int16{protocol.SaslHandshake: 1})
		res, err := pc.RoundTrip(&saslhandshake.Request{Mechanism: "PLAIN"})
		if err != nil {
			return fmt.Errorf("kafka.brokers: %s: %w: %w", addr, ErrUnreachable, err)
		}
		h := res.(*saslhandshake.Response)
		if code := kafka.Error(h.ErrorCode); code == 0 || code == kafka.UnsupportedSASLMechanism {
			return fmt.Errorf("kafka.sasl: %s wants authentication (%s), kafka.sasl.mechanism is none: %w", addr, strings.Join(h.Mechanisms, ", "), ErrAuthentication)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	authenticated, err := c.dialer().DialContext(ctx, "tcp", addr)
	if err == nil {
		return authenticated.Close()
	}
	name := c.options.SASL.Name()
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return fmt.Errorf("kafka.sasl: %s refuses the user name or password (%s): %w", addr, name, ErrAuthentication)
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return fmt.Errorf("kafka.sasl: %s does not offer mechanism %s: %w", addr, name, ErrAuthentication)
	case errors.Is(err, kafka.IllegalSASLState):
		return fmt.Errorf("kafka.sasl: %s does no authentication, kafka.sasl.mechanism is %s: %w", addr, name, ErrAuthentication)
	}
	return fmt.Errorf("kafka.brokers: %s: authentication: %w: %w", addr, ErrUnreachable, err)
}

// dialer makes the connections of the group membership.
func (c *Consumer) dialer() *kafka.Dialer {
	return &kafka.Dialer{
		ClientID: c.options.ClientID, Timeout: c.options.RequestTimeout, DialFunc: c.options.dial(),
		TLS: c.options.TLS, SASLMechanism: c.options.SASL,
	}
}
