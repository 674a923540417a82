//go:build kafka

package consumer

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// What heals with time: one line, then the work goes on.
func TestKafkaStartWaits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(w *kafkaWorld)
		line   string
		heal   func(w *kafkaWorld)
	}{
		{
			name: "absent",
			before: func(w *kafkaWorld) {
				w.create(2, nil, w.topics[:]...)
				if err := realBroker.Shutdown(); err != nil {
					w.t.Fatal(err)
				}
			},
			line: ": broker unreachable",
			heal: (*kafkaWorld).restart,
		},
		{
			name:   "missing",
			before: func(w *kafkaWorld) { w.create(2, nil, w.topics[event.Predictions], w.topics[event.Conversions]) },
			line:   `impressions\" does not exist`,
			heal:   func(w *kafkaWorld) { w.create(2, nil, w.topics[event.Impressions]) },
		},
		{
			name: "counts",
			before: func(w *kafkaWorld) {
				w.create(2, nil, w.topics[event.Predictions], w.topics[event.Impressions])
				w.create(3, nil, w.topics[event.Conversions])
			},
			line: `impressions\" has 2, `,
			heal: func(w *kafkaWorld) {
				// One request, or the counts differ in yet another way between.
				res, err := w.admin().UpdatePartitions(context.Background(), 3, w.topics[event.Predictions], w.topics[event.Impressions])
				if err == nil {
					err = res.Error()
				}
				if err != nil {
					w.t.Fatal(err)
				}
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := onKafka(t, 0)
			tc.before(w)
			c := w.run(w.options())
			eventually(t, "a line with "+tc.line, func() bool { return w.log.count(tc.line) > 0 })
			// Several more tries fall in this time; they say no more.
			time.Sleep(2 * time.Second)
			if got := w.log.count("level=WARN"); got != 1 {
				t.Errorf("warnings: got %d, want 1", got)
			}
			tc.heal(w)
			w.produce(w.client(), w.topics[event.Conversions], 1, "c")
			c.caughtUp()
			wantValues(t, "conversions", w.values(1, event.Conversions), []string{"c"})
			if err := c.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What time does not heal: Run returns one line that says what to do.
func TestKafkaStartRefused(t *testing.T) {
	trusting, err := TLSConfig(TLSOptions{CAFile: realBroker.CAFile()})
	if err != nil {
		t.Fatal(err)
	}
	scram256 := func(password string) sasl.Mechanism {
		m, err := scram.Mechanism(scram.SHA256, kafkatest.User, password)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	w := onKafka(t, 1)
	for _, tc := range []struct {
		name    string
		brokers []string
		sasl    sasl.Mechanism
		tls     *tls.Config
		want    error // nil: it works
		text    string
	}{
		{name: "plain", brokers: realBroker.SASLBrokers(), sasl: plain.Mechanism{Username: kafkatest.User, Password: kafkatest.Password}},
		{name: "scram", brokers: realBroker.SASLBrokers(), sasl: scram256(kafkatest.Password)},
		{name: "tls", brokers: realBroker.TLSBrokers(), tls: trusting},
		{name: "plain wrong", brokers: realBroker.SASLBrokers(), sasl: plain.Mechanism{Username: kafkatest.User, Password: "wrong"},
			want: ErrAuthentication, text: " refuses the user name or password (PLAIN)"},
		{name: "scram wrong", brokers: realBroker.SASLBrokers(), sasl: scram256("wrong"),
			want: ErrAuthentication, text: " refuses the user name or password (SCRAM-SHA-256)"},
		{name: "no password", brokers: realBroker.SASLBrokers(), want: ErrAuthentication, text: "wants authentication"},
		{name: "password to an open port", brokers: realBroker.Brokers(), sasl: plain.Mechanism{Username: kafkatest.User, Password: kafkatest.Password},
			want: ErrAuthentication, text: "does no authentication"},
		{name: "TLS to a plaintext port", brokers: realBroker.Brokers(), tls: trusting, want: ErrTLS, text: " speaks plaintext"},
		{name: "plaintext to a TLS port", brokers: realBroker.TLSBrokers(), want: ErrTLS, text: " speaks TLS"},
		{name: "unknown authority", brokers: realBroker.TLSBrokers(), tls: &tls.Config{}, want: ErrTLS, text: "check ca_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := w.options()
			o.Brokers, o.SASL, o.TLS = tc.brokers, tc.sasl, tc.tls
			o.RequestTimeout = 3 * time.Second
			c := w.run(o)
			c.t = t
			if tc.want == nil {
				c.caughtUp()
				if err := c.stop(); err != nil {
					t.Error(err)
				}
				return
			}
			before := w.log.count("level=WARN")
			select {
			case err := <-c.result:
				if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) || !strings.Contains(err.Error(), tc.brokers[0]) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v\nwant %v with %q and %q, on one line", err, tc.want, tc.brokers[0], tc.text)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("Run goes on")
			}
			if got := w.log.count("level=WARN"); got != before {
				t.Errorf("warnings beside the error: %d", got-before)
			}
		})
	}
}
