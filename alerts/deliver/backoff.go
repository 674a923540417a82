package deliver

import (
	"math/rand/v2"
	"time"
)

// limitedPause is how long a receiver is left alone that has answered 429 and
// does not say for how long.
const limitedPause = 30 * time.Second

// backoff is how long to wait after so many failures, from 1 on: first, doubled
// with each up to longest, and up to a fifth more or less, so that instances do
// not come back all at once.
func backoff(failures int, first, longest time.Duration) time.Duration {
	d := longest
	if n := failures - 1; n < 16 {
		d = min(first<<n, longest)
	}
	return d*4/5 + rand.N(d*2/5)
}
