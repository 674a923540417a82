// Package oracle draws random cases of every statistic of internal/stats and
// writes them with what it answers, so that oracle.py can ask others the same:
// statsmodels, scipy, scikit-learn and the like, and the definitions written
// out. `make oracle` runs both.
//
// It holds no expectations of its own: what is right is for the other side to
// say, at the tolerances of the test vectors.
package oracle
