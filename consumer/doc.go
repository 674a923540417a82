// Package consumer owns Kafka in: group membership, fetching, record-batch
// decoding, one worker a partition number, lag, commits and dead letters.
//
// Partition p of the three topics always goes to one member and, there, to one
// worker, which hands the records to a Handler. The package knows nothing of
// what the records mean beyond their event time; it never imports the
// aggregator. Nothing that it keeps is durable: a worker begins where its
// Handler says, and the group's own offsets are written for lag tools only.
//
// kafka-go carries the bytes (connections, TLS, SASL, group membership). Fetch
// responses and record batches are decoded here, because kafka-go's own routes
// check no CRC, hand out control batches, keep aborted transactions, or cost
// ten times as much. kafka-go's process-wide protocol tables are left as they
// are, so its Client, Writer and Reader may be used beside this package.
package consumer
