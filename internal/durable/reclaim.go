package durable

import (
	"context"
	"fmt"
	"time"
)

// reclaimer lets Pebble rewrite, in the background, the part of the disk that
// dropped buckets took: of itself it would wait until enough was written there,
// which may be never.
type reclaimer struct {
	from, to uint32 // buckets dropped since the last time
	bytes    int64  // in them
	done     chan struct{}
	cancel   context.CancelFunc
}

// minReclaim is what is not worth the trouble.
const minReclaim = 1 << 20

// dropped notes that a commit dropped buckets.
func (r *reclaimer) dropped(from, to uint32) {
	if r.from >= r.to {
		r.from, r.to = from, to
		return
	}
	r.from, r.to = min(r.from, from), max(r.to, to)
}

// reclaim begins, once an eighth of the disk is to be gained and no other is
// under way.
func (d *DB) reclaim() {
	r := &d.reclaimer
	if d.opts.NoCompactions || r.bytes < minReclaim || 8*r.bytes < d.storedBytes || r.from >= r.to {
		return
	}
	if r.done != nil {
		select {
		case <-r.done:
		default:
			return
		}
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	done, p, f, from, to := make(chan struct{}), d.pebble, d.faults, r.from, r.to
	r.done, r.from, r.to, r.bytes = done, 0, 0, 0
	go func() {
		defer close(done)
		defer func() {
			if e := recover(); e != nil {
				f.trip("compact", fmt.Errorf("%v", e))
			}
		}()
		for _, kind := range []byte{kindOld, kindRows} {
			err := p.Compact(ctx, appendChunkKey(nil, kind, from, 0), appendChunkKey(nil, kind, to, 0), false)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				f.trip("compact", err)
				return
			}
		}
	}()
}

// stop ends what is under way. It reports whether that succeeded.
func (r *reclaimer) stop() bool {
	if r.done == nil {
		return true
	}
	r.cancel()
	select {
	case <-r.done:
		return true
	case <-time.After(closeWait):
		return false
	}
}
