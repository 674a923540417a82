// Package archtest owns the rules of the source tree: which package may import
// which, and what files and packages look like. Its tests parse the sources
// themselves, because a test that asks another program is cached by go test
// without regard to what that program has read.
//
// It knows nothing of what the code does.
package archtest
