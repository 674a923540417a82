package stats

import "testing"

func TestChangeVectors(t *testing.T) {
	file := readVectors(t, "change")
	var ratios []float64
	file.run(t, "SR and CUSUM", func(t *testing.T, c vectorCase) {
		d := NewDetector(c.numbers(t, "log_r_grid"))
		lambda := c.numbers(t, "Lambda")
		got := map[string]any{"alarm_SR_c1000": -1, "alarm_SR_c10000": -1, "alarm_CUSUM_c1000": -1}
		var sr, cusum []float64
		for i, n := range c.numbers(t, "N") {
			ratios = append(ratios, n/lambda[i])
			d.AddArm(Arm{Observed: int64(n), Expected: lambda[i]})
			m, ok := d.Rate()
			u, okU := d.CUSUMRate()
			if !ok || !okU {
				t.Fatal("not ok")
			}
			sr, cusum = append(sr, float64(m)), append(cusum, float64(u))
			first := func(name string, alarm bool) {
				if alarm && got[name] == -1 {
					got[name] = i
				}
			}
			first("alarm_SR_c1000", d.Alarm(1000))
			first("alarm_SR_c10000", d.Alarm(1e4))
			first("alarm_CUSUM_c1000", u.Rejects(1e-3))
		}
		got["log_SR"], got["log_CUSUM"] = sr, cusum
		c.match(t, got)
	})
	file.run(t, "river Page-Hinkley", func(t *testing.T, c vectorCase) {
		p := NewPageHinkley(int64(c.number(t, "min_instances")), c.number(t, "delta"), c.number(t, "threshold"), c.number(t, "alpha"))
		var alarms []int
		for i, x := range ratios {
			if p.Add(x) {
				alarms = append(alarms, i)
			}
		}
		c.match(t, map[string]any{"alarms": alarms})
	})
	file.run(t, "river ADWIN", func(t *testing.T, c vectorCase) {
		stream := make([]float64, int(c.number(t, "length")))
		for _, i := range c.numbers(t, "ones_at") {
			stream[int(i)] = 1
		}
		a := ADWIN{Delta: c.number(t, "delta")}
		var alarms []int
		for i, x := range stream {
			if a.Add(x) {
				alarms = append(alarms, i)
			}
		}
		mean, ok := a.Mean()
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"alarms": alarms, "final_width": a.Width(), "final_mean": mean})
	})
}
