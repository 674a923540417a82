package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceDir puts the directory aside in the place of dir, so that it is there
// after a crash of the machine. A crash in between leaves under the name of dir
// one of the two, whole, or nothing: a state of which some files are gone could
// not be opened any more. When it fails, dir is as it was if at all possible.
func replaceDir(dir, aside string) error {
	old := dir + ".replaced"
	if err := os.RemoveAll(old); err != nil { // of a crash before
		return err
	}
	had := true
	if err := os.Rename(dir, old); errors.Is(err, fs.ErrNotExist) {
		had = false
	} else if err != nil {
		return err
	}
	if err := os.Rename(aside, dir); err != nil {
		if had {
			err = errors.Join(err, os.Rename(old, dir))
		}
		return err
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close(), os.RemoveAll(old))
}
