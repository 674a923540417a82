package consumer

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
)

func TestConsumeAllCodecs(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
		for i, codec := range codecs {
			p := w.producer(kgo.ProducerBatchCompression(codec))
			w.produce(p, "predictions", 0, sequence("p", 100*i, 100*i+100)...)
			w.produce(p, "impressions", 1, sequence("i", 100*i, 100*i+100)...)
			p.Close()
		}
		c := w.run(w.options())
		c.caughtUp()
		wantValues(t, "predictions/0", w.values(0, event.Predictions), sequence("p", 0, 500))
		wantValues(t, "impressions/1", w.values(1, event.Impressions), sequence("i", 0, 500))
		if err := c.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := c.Stats().Records[event.Predictions].Load(); got != 500 {
			t.Errorf("predictions counted: got %d, want 500", got)
		}
	})
}
