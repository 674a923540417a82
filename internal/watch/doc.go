// Package watch feeds the alerts: it turns what the aggregator has closed into
// windows of evidence, runs one engine for each experiment that this instance
// owns, keeps the engines' states, and hands what they have to tell to an
// outbox. It decides nothing about alerts and sends nothing.
//
// # Nothing is lost, nothing is told twice
//
// A state holds the notifications that are not delivered yet. It is stored, and
// only then are they handed to the outbox; what the outbox has delivered is
// marked in the state, and that is stored before the outbox forgets it. So a
// crash between any two of these steps leaves a notification in a state or in
// the outbox, under the same sequence and key, and the outbox passes over what
// it has already.
//
// An experiment moves with its partition of the group. Its owner publishes each
// state to the alerts topic under (epoch, count), and whoever owns it next takes
// the newest of the topic's and its own disk's. An owner that sees a state of a
// newer epoch stops without another write. One whose process has stood still asks
// the group before it tells anything. What remains is what no receiver could
// know either: a notification that was sent, by a process that died before it
// could say so, is sent once more under the same key.
package watch
