// Package kafkatest starts Kafka brokers for tests, for benchmarks and for the
// demo: Embedded speaks the protocol inside this process, Real is Apache Kafka
// itself in a Java process of its own.
//
// It is not a client and not a test framework: it never imports package
// testing, so that the demo can use it, and it produces no records.
package kafkatest

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
)

// EmbeddedOptions describes an in-process cluster.
type EmbeddedOptions struct {
	Brokers    int      // number of brokers; 0 means 1
	Topics     []string // topics to create
	Partitions int32    // partitions of each of Topics; 0 means 1
	// Extra are further kfake options: TLS, SASL, fault injection, a virtual network.
	Extra []kfake.Opt
}

// Embedded is a running in-process cluster. The embedded kfake.Cluster moves
// leaders, injects faults and shows the groups.
type Embedded struct {
	*kfake.Cluster
}

// StartEmbedded starts an in-process cluster on free ports of 127.0.0.1.
func StartEmbedded(o EmbeddedOptions) (*Embedded, error) {
	opts := []kfake.Opt{kfake.NumBrokers(max(o.Brokers, 1))}
	if len(o.Topics) > 0 {
		opts = append(opts, kfake.SeedTopics(max(o.Partitions, 1), o.Topics...))
	}
	c, err := kfake.NewCluster(append(opts, o.Extra...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return &Embedded{Cluster: c}, nil
}

// Brokers lists the bootstrap addresses, host:port.
func (e *Embedded) Brokers() []string { return e.ListenAddrs() }

// Stop shuts the cluster down and closes all its connections.
func (e *Embedded) Stop() { e.Close() }
