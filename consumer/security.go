package consumer

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// TLSOptions says how to secure the connections to the brokers.
type TLSOptions struct {
	CAFile            string // PEM; empty: the system's authorities
	CertFile, KeyFile string // PEM; the client's own certificate, both or none
}

// ErrCAFile means that a file of authorities holds no certificate.
var ErrCAFile = errors.New("no PEM certificate in it")

// ErrKeyPair means that only one of certificate and key is given.
var ErrKeyPair = errors.New("cert_file and key_file go together")

// ErrMechanism means that the SASL mechanism is none that we know.
var ErrMechanism = errors.New("allowed are none, plain, scram-sha-256 and scram-sha-512")

// ErrCredentials means that user name or password are missing.
var ErrCredentials = errors.New("user name and password are needed")

// TLSConfig reads the files that o names.
func TLSConfig(o TLSOptions) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %q: %w", o.CAFile, ErrCAFile)
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, fmt.Errorf("kafka.tls: %w", ErrKeyPair)
	}
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls: cert_file %q, key_file %q: %w", o.CertFile, o.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// SASLOptions says how to authenticate with the brokers.
type SASLOptions struct {
	Mechanism    string // none, plain, scram-sha-256 or scram-sha-512; empty is none
	Username     string
	PasswordFile string // its content, without a newline at the end, is the password
}

// Password reads the password that o names; it is empty for no mechanism.
func Password(o SASLOptions) (string, error) {
	if o.Mechanism == "" || o.Mechanism == "none" {
		return "", nil
	}
	if o.Username == "" || o.PasswordFile == "" {
		return "", fmt.Errorf("kafka.sasl: username %q, password_file %q: %w", o.Username, o.PasswordFile, ErrCredentials)
	}
	b, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("kafka.sasl.password_file: %w", err)
	}
	password := string(bytes.TrimRight(b, "\r\n"))
	if password == "" {
		return "", fmt.Errorf("kafka.sasl.password_file: %q is empty: %w", o.PasswordFile, ErrCredentials)
	}
	return password, nil
}

// SASLMechanism returns the mechanism that o names, or nil for none.
func SASLMechanism(o SASLOptions) (sasl.Mechanism, error) {
	switch o.Mechanism {
	case "", "none":
		return nil, nil
	case "plain", "scram-sha-256", "scram-sha-512":
	default:
		return nil, fmt.Errorf("kafka.sasl.mechanism: %q: %w", o.Mechanism, ErrMechanism)
	}
	password, err := Password(o)
	if err != nil {
		return nil, err
	}
	var m sasl.Mechanism
	switch o.Mechanism {
	case "plain":
		return plain.Mechanism{Username: o.Username, Password: password}, nil
	case "scram-sha-256":
		m, err = scram.Mechanism(scram.SHA256, o.Username, password)
	default:
		m, err = scram.Mechanism(scram.SHA512, o.Username, password)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %s: %w", o.Mechanism, err)
	}
	return m, nil
}
