// Package checkpoint owns copies of partitions' state directories in a blob
// store: a new owner of a partition restores the newest instead of reading the
// topics from their beginning. A checkpoint travels in parts, and only those
// parts travel that the store does not have yet.
//
// It does not know what is in the directories, except that Pebble never changes
// a table or blob file, nor when checkpoints are due, nor who owns a partition.
// It has no logger and no goroutine that outlives a call.
//
// # What is in the store
//
//	<group>/creates-exclusively
//	<group>/partition-00003/manifests/<epoch>-<sequence>
//	<group>/partition-00003/objects/<content>.<upload>
//
// A manifest names the files of a checkpoint, and the objects that hold their
// parts with size and SHA-256 of each. Two owners may continue one state with
// different files of the same name, so a part is known by its content alone.
// Objects are written before the manifest that names them, and neither is ever
// changed.
//
// # What is promised
//
// Nothing is replaced, so there is nothing to replace by mistake: the manifest
// of an epoch and sequence is an object of that name, created on condition that
// there is none, and the newest name is the checkpoint. Hence
//
//   - of several uploads of one epoch and sequence exactly one succeeds. The
//     others get ErrStale. link(2) decides with file://, If-None-Match with s3://;
//     a store that ignores this condition is found out and refused.
//   - an older manifest, however late its owner writes it, never takes the place
//     of a newer one. That owner gets ErrFenced or ErrStale: every Upload lists
//     the manifests before it sends anything, and again after its manifest, so
//     the later of two writers always sees the other. An owner gets nil only if
//     its manifest was the newest at some moment during the call, as far as lists
//     are up to date.
//   - Restore takes the newest manifest that is listed. Where lists lag, this may
//     be an older one. That is a complete state with its offsets, from which the
//     topics lead to the same numbers.
//
// # Why nobody misses garbage
//
// Let G be Options.Grace. An upload relies on objects of three kinds: those of
// its base, the manifest that was the newest in the list it began with; those
// it sends, under keys never used before; and those that an earlier, failed
// upload of the same Owner sent. It creates its manifest only if G/2 have not
// passed since that list, and since the oldest object of the third kind was
// begun.
//
// A sweep deletes a manifest only if a newer one was stored more than G ago, and
// an object only if no kept manifest names it and it was stored more than G ago.
// Ages are differences of the bucket's own times, with the sweeping owner's
// manifest, stored a moment before, as the present. Suppose a sweep deletes an
// object that a manifest M names, now or soon.
//
//   - If the upload of M sent it, or an earlier try did, M was stored within G/2
//     of it, so more than G/2 ago, and a list that lags by less shows M. Then M
//     was not kept, and so another has been newer for more than G.
//   - If it is of M's base B, then B was not kept either, so one newer than B was
//     stored more than G ago. When M's upload began no such manifest was listed,
//     so it began more than G before the sweep, less the lag; M was created more
//     than G/2 ago, less the lag, and the first case applies to it.
//
// So it takes a list that lags by G/2, or an owner that was stopped between its
// last look at the clock and the arrival of its manifest. Then what is lost is a
// checkpoint, never a number: Restore passes over it and says so. The owner of
// such a manifest sees the clock again, looks for its objects, and gets ErrSlow.
// Clocks of machines are not compared at all, only durations by one clock.
package checkpoint
