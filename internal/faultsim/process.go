package faultsim

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// instance is a machine: a disk, and a process on it while it runs.
type instance struct {
	id   int
	mem  *vfs.MemFS
	proc *process
	// committed are the offsets of each state on the disk as of the last commit
	// that has returned.
	committed map[int32][event.NumStreams]int64
}

// process is one life of an instance.
type process struct {
	inst    *instance
	fs      *faultFS
	reader  *reader
	store   *checkpoint.Store
	held    map[int32]*held
	pending map[int32]uint64 // partitions to open, and the generation they come from
	knows   uint64           // generation
	busy    bool             // in a call that others interleave with
	ctx     context.Context
	cancel  context.CancelFunc
}

// held is a partition that a process works on.
type held struct {
	partition  int32
	epoch      uint64
	core       *partition.Core
	db         *durable.DB
	owner      *checkpoint.Owner
	sequence   uint64 // of checkpoints
	synced     bool   // the topic has been read up to where it ended after the epoch began
	reconciled bool
	correct    map[aggregator.CellPane]bool // what the topic has otherwise, since then
	retell     bool                         // how far it is, too
	ghost      bool                         // of an older generation than the process knows
	next       [event.NumStreams]int64      // to be fetched
	report     partition.Report
	inFlight   *[]message
}

// dead reports whether the process has come to its end, in a call or after it.
func (p *process) dead() bool { return p.fs.crashed() || p.fs.syncFailed() }

func (p *process) all() []*held {
	var out []*held
	for _, n := range slices.Sorted(maps.Keys(p.held)) {
		out = append(out, p.held[n])
	}
	return out
}

// start begins a process, which joins the group.
func (w *world) start(i *instance) {
	p := &process{
		inst: i, fs: newFaultFS(i.mem, w.rng.Uint64()), reader: newReader(w.aggregator),
		held: map[int32]*held{}, pending: map[int32]uint64{},
	}
	p.ctx, p.cancel = context.WithCancel(context.WithValue(context.Background(), processKey{}, p))
	i.proc = p
	w.openStore(p)
	if len(w.topic.messages) > 0 {
		w.faults[ReaderRestarted]++
	}
	w.note("start of %d", i.id)
	w.rebalance()
	if p.knows == 0 {
		w.learn(p)
	}
}

// open takes up a partition that the process was given.
func (w *world) open(p *process, number int32, epoch uint64) {
	delete(p.pending, number)
	ghost := false
	if !w.calm && w.chance(0.1) {
		if old, ok := w.ghost(p, number); ok {
			p.pending[number] = epoch
			epoch, ghost = old, true
		}
	}
	w.group.opened[assignment{number, epoch}] = true
	db, restored, ok := w.openState(p, number, epoch)
	if !ok {
		return
	}
	before := w.checkKept(p, number, db)
	owner := (*checkpoint.Owner)(nil)
	if p.store != nil {
		owner = p.store.Owner(number, epoch)
	}
	h := &held{partition: number, epoch: epoch, db: db, owner: owner, ghost: ghost, correct: map[aggregator.CellPane]bool{}, inFlight: new([]message)}
	var err error
	h.core, err = partition.Open(w.coreOptions(p, h), db)
	switch {
	case p.dead():
		closeQuietly(db, nil)
		return
	case errors.Is(err, partition.ErrFenced):
		w.faults[Fenced]++
		w.note("%d: partition %d of epoch %d is fenced by its state", p.inst.id, number, epoch)
		closeQuietly(db, nil)
		return
	case err != nil:
		w.failf("instance %d, partition %d, epoch %d: %v", p.inst.id, number, epoch, err)
	}
	if before > epoch {
		w.failf("instance %d, partition %d: epoch %d took a state that epoch %d has had", p.inst.id, number, epoch, before)
	}
	if restored == anew {
		w.faults[Replayed]++
	}
	w.keep(p, h)
	h.next = h.core.Offsets()
	p.held[number] = h
	if ghost {
		delete(p.pending, number) // until the process hears of the group again
	}
	w.note("%d: open of partition %d, epoch %d, from %v%s", p.inst.id, number, epoch, h.next, restored)
}

// checkKept fails when a commit that had returned did not survive. It returns
// the epoch that has had the state.
func (w *world) checkKept(p *process, number int32, db *durable.DB) uint64 {
	stored, err := partition.ReadStored(db.Meta())
	if err != nil {
		w.failf("instance %d, partition %d: %v", p.inst.id, number, err)
	}
	want, ok := p.inst.committed[number]
	if !ok {
		return stored.Epoch
	}
	for s := range want {
		if stored.Applied[s] < want[s] {
			w.failf("instance %d, partition %d: a commit is lost: applied %v, had %v", p.inst.id, number, stored.Applied, want)
		}
	}
	return stored.Epoch
}

func (w *world) coreOptions(p *process, h *held) partition.Options {
	return partition.Options{
		Partition: h.partition, Epoch: h.epoch,
		Join: w.join, Aggregator: w.aggregator,
		NowMs:    func() int64 { return w.nowMs },
		NewestMs: p.reader.merged.NewestMs,
		Letters:  letters{w},
		Prepare:  func(of *aggregator.Partition) { w.prepare(p, h, of) },
		Publish:  func(_ int32, newestMs int64, us []aggregator.Upsert) { w.publish(p, h, newestMs, us) },
		Report:   func(_ int32, r partition.Report) { h.report = r },
		Reread: func(_ context.Context, first, last int64, f func([]consumer.Record) error) error {
			return w.reread(p, h, first, last, f)
		},
		SeekEveryMs: w.seekEvery,
	}
}

// letters receives dead letters, of which there must be none: the records keep
// the contract.
type letters struct{ w *world }

func (l letters) Send(d consumer.DeadLetter) {
	l.w.failf("dead letter of %v at %d: %v %s", d.Stream, d.Offset, d.Reason, d.Detail)
}

func closeQuietly(db *durable.DB, err error) {
	if err == nil && db != nil {
		defer func() { _ = recover() }()
		_ = db.Close()
	}
}

// drop closes a partition without a commit.
func (w *world) drop(p *process, h *held) {
	delete(p.held, h.partition)
	w.outlive(h)
	if p.dead() {
		closeQuietly(h.db, nil)
		return
	}
	if err := h.core.Close(); err != nil && !p.dead() {
		w.failf("instance %d, partition %d: close: %v", p.inst.id, h.partition, err)
	}
}

// reap takes a dead process away, and leaves of its disk what its end has left.
func (w *world) reap(p *process) {
	if !p.dead() || p.inst.proc != p {
		return
	}
	p.cancel()
	lose := w.chance(0.6)
	if lose {
		w.faults[LostWrites]++
	}
	switch {
	case p.fs.syncFailed():
		w.faults[SyncError]++
	case p.fs.atWrite:
		w.faults[CrashAtWrite]++
	default:
		w.faults[CrashAnywhere]++
	}
	if p.fs.torn {
		w.faults[TornWrite]++
	}
	// Of its own choice, so that what Pebble has written by then sways nothing else.
	left, err := p.fs.remains(rand.New(rand.NewPCG(w.rng.Uint64(), 0)), lose)
	if err != nil {
		w.failf("instance %d: disk after its crash: %v", p.inst.id, err)
	}
	for _, h := range p.all() {
		w.outlive(h)
		closeQuietly(h.db, nil)
	}
	p.inst.mem, p.inst.proc = left, nil
	w.note("end of %d, unsynced writes lost: %v", p.inst.id, lose)
}

func (w *world) closeAll() {
	for _, i := range w.instances {
		if i.proc != nil {
			for _, h := range i.proc.all() {
				closeQuietly(h.db, nil)
			}
			i.proc.cancel()
		}
	}
}
