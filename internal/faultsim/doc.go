// Package faultsim runs small worlds of several instances through every fault
// that rampgauge promises to survive, and holds what each instance ends up with
// against a batch recount of the set of records, bit for bit.
//
// One seed is one world: its records and their order, the disks, the group, the
// topic of panes, the blob store, the clock, and what fails when. The code under
// test is that of the product: partition cores over durable state, checkpoints,
// the merging of panes. What is simulated is what it stands on. All of it runs
// in one goroutine but for Pebble's own, so a seed can be run again; those may
// change when something reaches a disk, never what is counted.
//
// It knows no Kafka, whose faults have tests of their own on real brokers, and
// it is no part of the product.
package faultsim
