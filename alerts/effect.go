package alerts

import "math"

// value is the effect of a series in the units of its rule's effect: of relative
// ones the ratio less 1.
func (e *Engine) value(t *target, s *series) (value, low, high float64, ok bool) {
	info, _ := t.Metric.info()
	if info.kind == kindQuantile {
		return e.slowRatio(t.Arm, t.Key)
	}
	value, low, high, ok = s.effect()
	if !ok {
		return 0, 0, 0, false
	}
	if t.Metric == MetricCalibration {
		value, low, high = -value, -high, -low
	}
	if info.relative && info.kind != kindMean {
		value, low, high = math.Expm1(value), math.Expm1(low), math.Expm1(high)
	}
	return value, low, high, true
}

// reached reports whether an effect is one to be told of.
func (r *Rule) reached(value, _, _ float64, ok bool) bool {
	return ok && r.size(value) >= r.Effect
}

// gone reports whether an effect is so small that an alert about it can end.
func (r *Rule) gone(value, _, _ float64, ok bool) bool {
	return ok && r.size(value) < r.tolerated()
}

// size is how large an effect is in the direction of the rule, as the test has
// it: of relative ones downwards that of the inverse ratio.
func (r *Rule) size(value float64) float64 {
	info, _ := r.Metric.info()
	down := -value
	if info.relative && value > -1 {
		down = 1/(1+value) - 1
	}
	switch r.Direction {
	case Up:
		return value
	case Down:
		return down
	}
	return math.Max(value, down)
}
