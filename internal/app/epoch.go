package app

import "fmt"

// An epoch has the group's incarnation in its upper half and the group's
// generation in its lower one. Generations count up as long as the group lives.
// A group that was forgotten, or another one over the same state, begins at 1
// again: that is a new incarnation.
const generationBits = 32

// claim is the epoch of an owner of a partition in a generation of the group,
// where seen is the newest epoch known of the partition. Generations that lie
// below one already seen are a zombie's, or those of a new incarnation: the
// coordinator, asked by current, knows which.
func claim(seen uint64, generation int32, current func() error) (uint64, error) {
	incarnation := seen >> generationBits
	mine := incarnation<<generationBits | uint64(uint32(generation))
	if mine >= seen {
		return mine, nil
	}
	if err := current(); err != nil {
		return 0, fmt.Errorf("epoch: generation %d, %d has been seen: %w", generation, uint32(seen), err)
	}
	return (incarnation+1)<<generationBits | uint64(uint32(generation)), nil
}
