package partition_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/internal/partition"
)

// What a state of another format says is not believed: a newer one is for a
// newer program, and an older one lacks what is counted today.
func TestOtherFormatsAreRefused(t *testing.T) {
	l := newLife(t)
	l.prediction("a", 0)
	l.commit()
	today := string(l.state.Meta())
	if !strings.Contains(today, `"Format":2,`) {
		t.Fatalf("meta %s", today)
	}
	for _, tc := range []struct {
		format int
		want   error
	}{{3, partition.ErrFormat}, {1, partition.ErrOldFormat}, {1000, partition.ErrFormat}, {0, partition.ErrState}, {-1, partition.ErrState}} {
		meta := []byte(strings.Replace(today, `"Format":2,`, fmt.Sprintf(`"Format":%d,`, tc.format), 1))
		if err := l.state.Commit(meta, nil); err != nil {
			t.Fatal(err)
		}
		_, err := partition.Open(l.opts, l.state)
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), fmt.Sprintf("format %d, ", tc.format)) || !strings.Contains(err.Error(), "delete the directory") {
			t.Errorf("format %d: %v", tc.format, err)
		}
		if _, again := partition.ReadStored(meta); !errors.Is(again, tc.want) {
			t.Errorf("format %d: ReadStored: %v", tc.format, again)
		}
	}
}

// A pane of a newer format in a state of today's: the rest of it is not taken
// for the whole.
func TestOtherPaneFormatIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		value []byte
		want  error
	}{{"newer", []byte{2}, partition.ErrFormat}, {"damaged", []byte{1}, partition.ErrState}} {
		l := newLife(t)
		l.prediction("a", 0)
		l.commit()
		var key []byte
		if err := l.state.EachPane(func(k, _ []byte) error {
			if k[0] == 'p' && key == nil {
				key = append(key, k...)
			}
			return nil
		}); err != nil || key == nil {
			t.Fatalf("no pane is stored: %v", err)
		}
		if err := l.state.Commit(l.state.Meta(), []partition.Pane{{Key: key, Value: tc.value}}); err != nil {
			t.Fatal(err)
		}
		if _, err := partition.Open(l.opts, l.state); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), "delete the directory") {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}
