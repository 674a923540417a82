// Package alerts decides when somebody has to be told, and what: rules, the
// evidence for and against them, one budget of false alarms for an experiment,
// and the state of each alert from waiting to resolved.
//
// It is pure: windows of event time go in, one after the other, and
// notifications come out. Time is an argument, and the whole state is a value
// that can be stored and read back. It knows neither panes, Kafka, files nor
// receivers: internal/watch feeds it, alerts/deliver sends what it says.
//
// An alert needs both evidence, by a test that may be looked at after every
// window for ever, and an effect of the size that its rule asks for. Where there
// is too little of either, the answer is waiting, which is neither good nor bad.
package alerts
