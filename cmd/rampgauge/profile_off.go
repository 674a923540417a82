//go:build !profile

package main

// profileSelf does nothing without the build tag.
func profileSelf() {}
