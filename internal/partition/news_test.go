package partition

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNews(t *testing.T) {
	type event struct{ ms, now int64 }
	n := news{known: 100}
	for _, tc := range []struct {
		name   string
		events []event
		want   []int64 // first, newest; nil: no news
	}{
		{"nothing", nil, nil},
		{"late ones are none", []event{{100, 500}, {7, 500}}, nil},
		{"in any order, with a late one", []event{{130, 500}, {120, 500}, {90, 500}, {140, 500}}, []int64{120, 140}},
		{"what was told is known", []event{{140, 500}, {141, 500}}, []int64{141, 141}},
		{"ahead of the clock", []event{{9000, 500}}, []int64{500, 500}},
		{"and does not hide what follows", []event{{501, 502}}, []int64{501, 501}},
	} {
		for _, e := range tc.events {
			n.take(e.ms, e.now)
		}
		var got []int64
		n.tell(func(first, newest int64) { got = []int64{first, newest} })
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
