// Package study measures what the statistics promise: how often they raise a
// false alarm, how late they are, and how often their intervals hold the truth,
// by drawing data whose truth is known. `make study` writes what it finds to
// docs/studies.md.
//
// It owns the generators of data, the bounds that results are held against and
// the page. It holds no statistic: whatever is measured is a function of
// internal/stats, which the product calls too. It is seeded and has no clock;
// the same options give the same bytes, whatever the number of workers.
package study
