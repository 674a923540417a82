//go:build unix

package kafkatest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const log4j = `<Configuration>
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %p %m (%c{1})%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`

// properties is the broker's server.properties.
func (r *Real) properties() (string, error) {
	listeners := []string{fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", r.ports[0])}
	p := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        "1",
		"controller.quorum.voters":       fmt.Sprintf("1@127.0.0.1:%d", r.ports[1]),
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "PLAINTEXT",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL",
		"log.dirs":                       filepath.Join(r.dir, "data"),

		"offsets.topic.replication.factor":             "1",
		"offsets.topic.num.partitions":                 "1",
		"transaction.state.log.replication.factor":     "1",
		"transaction.state.log.num.partitions":         "1",
		"transaction.state.log.min.isr":                "1",
		"share.coordinator.state.topic.min.isr":        "1",
		"default.replication.factor":                   "1",
		"group.initial.rebalance.delay.ms":             "0",
		"auto.create.topics.enable":                    "false",
		"log.cleaner.backoff.ms":                       "200",
		"share.coordinator.state.topic.num.partitions": "1",
	}
	if r.options.SASL {
		listeners = append(listeners, fmt.Sprintf("SASL://127.0.0.1:%d", r.ports[2]))
		p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256"
		p["listener.name.sasl.plain.sasl.jaas.config"] = fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`, User, Password)
		p["listener.name.sasl.scram-sha-256.sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	}
	if r.options.TLS {
		listeners = append(listeners, fmt.Sprintf("TLS://127.0.0.1:%d", r.ports[3]))
		cert, key, err := certificate()
		if err != nil {
			return "", fmt.Errorf("tls listener: %w", err)
		}
		r.ca = filepath.Join(r.dir, "ca.pem")
		store := filepath.Join(r.dir, "tls.pem")
		if err := os.WriteFile(r.ca, cert, 0o600); err != nil {
			return "", err
		}
		if err := os.WriteFile(store, append(key, cert...), 0o600); err != nil {
			return "", err
		}
		p["listener.name.tls.ssl.keystore.type"] = "PEM"
		p["listener.name.tls.ssl.keystore.location"] = store
	}
	p["listeners"] = strings.Join(append(listeners, fmt.Sprintf("CONTROLLER://127.0.0.1:%d", r.ports[1])), ",")
	p["advertised.listeners"] = strings.Join(listeners, ",")
	maps.Copy(p, r.options.Properties)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, p[k])
	}
	return b.String(), nil
}

// certificate returns a self-signed certificate for 127.0.0.1 and its key, as PEM.
func certificate() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "rampgauge test broker"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}
