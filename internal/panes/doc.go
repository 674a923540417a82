// Package panes owns the panes topic: the compacted Kafka topic through which
// every instance learns what every source partition has counted. It makes the
// topic, writes the upserts of the sources that are owned here, reads the whole
// topic into an aggregator.Merged, and keeps the topic true to its owners. It
// adds nothing up and knows no join; what a record says, and which of two
// counts, is the aggregator's to say.
//
// # One path
//
// A source's own instance reads its panes back from the topic like any other:
// what is not on the topic is in no instance's numbers, so that all answer
// alike, and a zombie's instance answers like its successor's. A record that is
// known costs a look at its key and version.
//
// # Why the readers agree
//
// Merged keeps, of each source and cell, the highest version of each pane, and
// of panes that overlap the newest alone. That is a function of the set of
// records, so duplicates, retries and a second reading change nothing. What is
// left to show is that the set which a reader gets ends in the same panes as
// its owner's, although compaction takes records out of it.
//
//   - Compaction keeps the last record of a key. Written by one owner in the
//     order of its versions, that is the highest. A zombie's write, or a retry
//     that overtook a newer record, may be last instead. The owner reads the
//     topic, finds the record older than what it wrote, or of an older epoch,
//     and publishes the pane again, under a new version: what it holds, or that
//     it holds nothing, and with it the panes that overlap. That one is last.
//   - A roll-up writes the wide pane before the tombstones of the fine ones,
//     into one partition, since partitions are by experiment. A reader that has
//     the wide pane drops the fine ones with it; one that begins in between, or
//     whose fine panes or tombstones have been compacted away, has the wide pane
//     in any case, because it is the last of its key. No order of reading counts
//     both, and none counts neither for longer than it takes to read on.
//   - A tombstone carries its version in a header, so that a stale one removes
//     nothing. When it is compacted away (delete.retention.ms) so is everything
//     before it of that key; a reader that is slower than that may still hold
//     such a value, and loses it to the wide pane or to the retention.
//   - A new owner compares all that the topic holds of its source with its
//     state, once it has read up to where the topic ended after it got its
//     epoch, and publishes each difference: what was stored but not written
//     before a crash, what its predecessor wrote beyond the stored state, keys
//     that nobody holds any more. Where the predecessor was ahead it first
//     catches up with the input, so that numbers do not go back and come again.
//
// The number of partitions of the topic must not change: a key would lie in two.
package panes
