package consumer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// What heals with time: one line, then the work goes on.
func TestStartWaits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(w *world)
		line   string
		heal   func(w *world)
	}{
		{
			name:   "broker absent",
			before: func(w *world) { w.cluster.Stop() },
			line:   "kafka.brokers: 127.0.0.1:9092: broker unreachable",
			heal:   func(w *world) { w.start(1, 2) },
		},
		{
			name:   "missing topic",
			before: func(w *world) { w.cluster.DeleteTopic("impressions") },
			line:   `topics.impressions: \"impressions\" does not exist`,
			heal:   func(w *world) { w.cluster.CreateTopic("impressions", 2, nil) },
		},
		{
			name: "partition counts",
			before: func(w *world) {
				w.cluster.DeleteTopic("conversions")
				w.cluster.CreateTopic("conversions", 3, nil)
			},
			line: `\"predictions\" has 2 partitions, \"impressions\" has 2, \"conversions\" has 3`,
			heal: func(w *world) {
				w.cluster.DeleteTopic("conversions")
				w.cluster.CreateTopic("conversions", 2, nil)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, 2, func(w *world) {
				tc.before(w)
				c := w.run(w.options())
				time.Sleep(time.Minute)
				if got := w.log.count(tc.line); got != 1 {
					t.Errorf("lines with %q: got %d, want 1", tc.line, got)
				}
				if got := w.log.count("level=WARN"); got != 1 {
					t.Errorf("warnings: got %d, want 1", got)
				}
				tc.heal(w)
				p := w.producer()
				w.produce(p, "conversions", 0, "c")
				p.Close()
				c.caughtUp()
				wantValues(t, "conversions", w.values(0, event.Conversions), []string{"c"})
				if err := c.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A stop while waiting for the start is no error.
func TestStopWhileWaiting(t *testing.T) {
	inBubble(t, 1, 0, func(w *world) {
		c := w.run(w.options())
		time.Sleep(3 * time.Second)
		if err := c.stop(); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	})
}

// serverTLS returns a configuration for a server and one that trusts it.
func serverTLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool}
}

// What time does not heal: Run returns one line that says what to do.
func TestStartRefused(t *testing.T) {
	server, trusting := serverTLS(t)
	password := func(p string) plain.Mechanism { return plain.Mechanism{Username: "u", Password: p} }
	sasl := []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "right")}
	for _, tc := range []struct {
		name   string
		broker []kfake.Opt
		set    func(o *Options)
		fault  *kfake.Fault
		want   error
		text   string
	}{
		{name: "wrong password", broker: sasl, set: func(o *Options) { o.SASL = password("wrong") }, want: ErrAuthentication,
			text: "kafka.sasl: 127.0.0.1:9092 refuses the user name or password (PLAIN)"},
		{name: "no password", broker: sasl, set: func(*Options) {}, want: ErrAuthentication, text: "wants authentication"},
		{name: "TLS to a plaintext port", set: func(o *Options) { o.TLS = trusting }, want: ErrTLS, text: "127.0.0.1:9092 speaks plaintext"},
		{name: "plaintext to a TLS port", broker: []kfake.Opt{kfake.TLS(server)}, set: func(*Options) {}, want: ErrTLS, text: "127.0.0.1:9092 speaks TLS"},
		{name: "unknown authority", broker: []kfake.Opt{kfake.TLS(server)}, set: func(o *Options) { o.TLS = &tls.Config{} }, want: ErrTLS, text: "the certificate of 127.0.0.1:9092 is not accepted; check ca_file"},
		{name: "topic denied", set: func(*Options) {}, want: ErrAuthorization, text: `topics.predictions: "predictions": the broker denies reading it`,
			fault: &kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "predictions", Err: kerr.TopicAuthorizationFailed, Count: -1}},
		{name: "group denied", set: func(*Options) {}, want: ErrAuthorization, text: "group rampgauge: the broker denies it",
			fault: &kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: "rampgauge", Err: kerr.GroupAuthorizationFailed, Count: -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, 1, func(w *world) {
				if tc.fault != nil {
					w.cluster.Fault(*tc.fault)
				}
				o := w.options()
				o.RequestTimeout = 2 * time.Second
				tc.set(&o)
				c := w.run(o)
				err := <-c.result
				if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v\nwant %v with %q, on one line", err, tc.want, tc.text)
				}
				if got := w.log.count("level=WARN"); got != 0 {
					t.Errorf("warnings beside the error: %d", got)
				}
			}, tc.broker...)
		})
	}
}

func TestConsumeOverTLSAndSASL(t *testing.T) {
	server, trusting := serverTLS(t)
	inBubble(t, 1, 1, func(w *world) {
		o := w.options()
		o.TLS = trusting
		o.SASL = plain.Mechanism{Username: "u", Password: "right"}
		c := w.run(o)
		c.caughtUp()
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	}, kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "right"))
}

func TestOptionsValidate(t *testing.T) {
	var o Options
	err := o.Validate()
	for _, want := range []string{"Brokers: none", "Group: empty", "no topic for impressions", "NewHandler: nil", "QueueBytes: must be from 16384", "FetchWait: must be positive"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant it to have %q", err, want)
		}
	}
	o = DefaultOptions()
	o.Brokers = []string{"nowhere"}
	o.Topics[2] = "predictions"
	o.NewHandler = func(context.Context, Assignment) (Handler, error) { return nil, nil }
	err = o.Validate()
	for _, want := range []string{`"nowhere" is not host:port`, `"predictions" is given twice`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant it to have %q", err, want)
		}
	}
	o = DefaultOptions()
	o.Brokers, o.NewHandler = []string{"b:1"}, func(context.Context, Assignment) (Handler, error) { return nil, nil }
	if err := o.Validate(); err != nil {
		t.Errorf("defaults: got %v", err)
	}
}
