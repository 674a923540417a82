package main

import (
	"path/filepath"
	"testing"
)

// The texts of the planted bugs follow the sources.
func TestMutationsApply(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for i := range mutations {
		if _, err := mutations[i].apply(root); err != nil {
			t.Error(err)
		}
	}
}
