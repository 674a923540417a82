package app

import (
	"context"
	"fmt"

	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/internal/panes"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// handler is a core, its way to the panes topic, and its checkpoints. It
// implements consumer.Handler.
type handler struct {
	*partition.Core
	partition   int32
	source      *panes.Source
	checkpoints *checkpointer // nil: none are made
	disk        *disk
	closed      func()
}

// Commit implements consumer.Handler.
func (h *handler) Commit(ctx context.Context) error {
	if h.source.Fenced() {
		return fmt.Errorf("partition %d: the panes topic has a newer owner: %w", h.partition, consumer.ErrFenced)
	}
	if err := h.Core.Commit(ctx); err != nil {
		return err
	}
	h.disk.measure(h.partition)
	if h.checkpoints != nil {
		return h.checkpoints.committed(ctx, h.Version())
	}
	return nil
}

// Unfinished implements consumer.Handler: what the topic holds is yet to be
// compared with the state, or to be corrected.
func (h *handler) Unfinished() bool {
	_, compared := h.source.Published()
	return h.Core.Unfinished() || h.source.Asks() || !compared && !h.source.Fenced()
}

// Close implements consumer.Handler.
func (h *handler) Close() error {
	defer h.closed()
	if h.checkpoints != nil {
		h.checkpoints.stop()
	}
	h.source.Close()
	return h.Core.Close()
}
