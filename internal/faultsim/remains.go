package faultsim

import (
	"errors"
	"io"
	"math/rand/v2"
	"path"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// remains is the disk after the crash. With lose, what was not synced may be
// lost, in part or altogether; else it was the process that died.
func (f *faultFS) remains(rng *rand.Rand, lose bool) (*vfs.MemFS, error) {
	f.crash()
	if !lose {
		return f.full, nil
	}
	m := mixer{fs: f, rng: rng, cut: rng.IntN(3)}
	if f.mu.Lock(); rng.IntN(3) > 0 {
		m.names = rng.IntN(f.names + 1)
	}
	f.mu.Unlock()
	if err := m.dir("/"); err != nil {
		return nil, err
	}
	return f.base, nil
}

// mixer adds to what was synced a part of what was not.
type mixer struct {
	fs  *faultFS
	rng *rand.Rand
	// names is how many of the new names are kept, the first ones: file systems
	// with a journal keep them in their order.
	names int
	cut   int // 0: what was synced of a file; 1: some more; 2: pieces of it
}

func (m *mixer) dir(dir string) error {
	names, err := m.fs.full.List(dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		at := path.Join(dir, name)
		info, err := m.fs.full.Stat(at)
		if err != nil {
			return err
		}
		_, missing := m.fs.base.Stat(at)
		if moved := m.fs.wasMoved(at); (moved || missing != nil) && m.fs.madeAt(at) > m.names {
			continue
		} else if moved && missing == nil {
			// Another directory of that name: nothing is left of this one.
			if err := m.fs.base.RemoveAll(at); err != nil {
				return err
			}
			missing = errMoved
		}
		if info.IsDir() {
			if err := m.fs.base.MkdirAll(at, 0o755); err != nil {
				return err
			}
			err = m.dir(at)
		} else {
			err = m.file(at, missing != nil)
		}
		if err != nil {
			return err
		}
	}
	d, err := m.fs.base.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

var errMoved = errors.New("moved")

func (f *faultFS) wasMoved(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved[name]
}

func (f *faultFS) madeAt(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made[name]
}

func (m *mixer) file(at string, missing bool) error {
	full, err := read(m.fs.full, at)
	if err != nil {
		return err
	}
	var base []byte
	switch {
	case missing && m.fs.wasSynced(at):
		base = full // its name was not synced, what is in it was
	case !missing:
		if base, err = read(m.fs.base, at); err != nil {
			return err
		}
	}
	data := m.mix(base, full)
	if !missing && slices.Equal(data, base) {
		return nil
	}
	file, err := m.fs.base.Create(at, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}

func (m *mixer) mix(base, full []byte) []byte {
	switch {
	case m.cut == 0 || slices.Equal(base, full):
		return base
	case m.cut == 1 && len(full) > len(base):
		n := len(base) + m.rng.IntN(len(full)-len(base)+1)
		return append(slices.Clone(base), full[len(base):n]...)
	}
	const sector = 512
	out := slices.Clone(base)
	for i := 0; i < len(full); i += sector {
		if m.rng.IntN(2) == 0 {
			continue
		}
		piece := full[i:min(i+sector, len(full))]
		if grow := i + len(piece) - len(out); grow > 0 {
			out = append(out, make([]byte, grow)...)
		}
		copy(out[i:], piece)
	}
	return out
}

func read(fs *vfs.MemFS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// clean is a name as the mixer knows it.
func clean(name string) string { return path.Join("/", name) }

func pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }
