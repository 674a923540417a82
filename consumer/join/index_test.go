package join

import (
	"math/rand/v2"
	"testing"
)

func TestIndexAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var x index
	model := map[ID]uint64{}
	for step := range 300_000 {
		// Few distinct low bits make long probe runs that wrap around.
		key := ID{r.Uint64N(2), r.Uint64N(2000)<<10 | r.Uint64N(4) | 1020*r.Uint64N(2)}
		switch r.IntN(3) {
		case 0:
			x.remove(key)
			delete(model, key)
		default:
			v := 1 + r.Uint64N(1<<40)
			x.put(key, v)
			model[key] = v
		}
		if got := x.get(key); got != model[key] {
			t.Fatalf("step %d: get(%d) = %d, want %d", step, key, got, model[key])
		}
		if x.n != len(model) {
			t.Fatalf("step %d: n = %d, want %d", step, x.n, len(model))
		}
	}
	for key, want := range model {
		if got := x.get(key); got != want {
			t.Errorf("get(%d) = %d, want %d", key, got, want)
		}
	}
}
