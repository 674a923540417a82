package checkpoint

import "errors"

var (
	// ErrNone means that there is no checkpoint of the partition: its state is
	// built from the topics.
	ErrNone = errors.New("no checkpoint")
	// ErrFenced means that a newer epoch owns the partition. The owner that gets
	// it has lost the partition, and stops.
	ErrFenced = errors.New("a newer epoch owns the partition")
	// ErrStale means that there is a checkpoint of the same epoch that is as new
	// or newer.
	ErrStale = errors.New("there is a newer checkpoint of this epoch")
	// ErrDamaged means that a checkpoint cannot be restored, because what is in
	// the bucket is not what was put there. With Restore: no checkpoint can.
	ErrDamaged = errors.New("damaged checkpoint; delete it to have the state built from the topics")
	// ErrFormat means that a newer version of the program wrote the checkpoint.
	ErrFormat = errors.New("checkpoint of a newer format; upgrade this instance, or delete the checkpoint to have the state built from the topics")
	// ErrNotEmpty means that Restore was given a directory with something in it.
	ErrNotEmpty = errors.New("directory is not empty; delete or move it to restore a checkpoint")
	// ErrSlow means that an upload took longer than half of Options.Grace, so
	// that others may have deleted what it relies on. It stored no checkpoint, or
	// one that is known to be damaged.
	ErrSlow = errors.New("upload took longer than half of the grace period; raise it, or make checkpoints more often")
	// ErrSnapshot means that the directory to upload is not a snapshot: it holds
	// something else than files, or they change.
	ErrSnapshot = errors.New("not a snapshot of a state directory")
	// ErrUnconditional means that the store ignores the condition of a write.
	ErrUnconditional = errors.New("the store overwrites objects which it was asked to create only if there are none; use one that knows If-None-Match")
)
