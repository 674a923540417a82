// Package worlds draws small random workloads that keep the contract and crowd
// its corners, and holds what was counted of them against the batch recount.
//
// It is for tests and simulations. It does not know how the numbers came about:
// that is up to whoever hands the records in.
package worlds
