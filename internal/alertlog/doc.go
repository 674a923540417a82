// Package alertlog owns the alerts topic: the compacted Kafka topic that carries
// the state of each experiment's alerts from one owner to the next, and to all
// instances, so that any of them can say what is firing. It makes the topic,
// writes the states of the experiments owned here, and holds the newest state
// of every experiment.
//
// It knows nothing of what a state says, nor who owns what: a state is bytes
// under a Version, and of two the higher version counts. A zombie's version is
// of an older epoch, so that what it writes changes nothing for a reader that
// has its successor's.
//
// Compaction keeps the last record of a key, which may be a zombie's. An
// instance that reads an older version behind the one it has written writes its
// own again, so that the highest is last in the end.
package alertlog
