// Package deliver brings notifications to the receivers that they are routed
// to, once each as far as that can be, through outages, restarts and limits.
//
// It owns the queue on disk, the routes, when to try again, how many calls leave
// in a minute, and the order: of one alert's notifications each receiver gets
// the earlier first, so that a resolve never overtakes its trigger. It does not
// know what a notification means, nor how a receiver is spoken to.
//
// What was handed over is on disk before Add returns. Whether a call that got no
// answer was heard nobody can know; it is made again, with the same key, and a
// receiver that joins by key shows one incident. A change event has no key: it
// may be shown twice, and is never lost.
package deliver
