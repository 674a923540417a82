package watch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// What can be wrong with a stored state.
var (
	// ErrFormat means that it is of a later version of the program.
	ErrFormat = errors.New("unknown format")
	// ErrDamaged means that its file is not as it was written.
	ErrDamaged = errors.New("damaged file")
)

// A file is the format, the checksum of all behind it, the version as two
// numbers, the length of the name, the name and the state. Numbers are
// big-endian.
const (
	diskFormat = 1
	diskHeader = 1 + 4
	diskFixed  = diskHeader + 8 + 8 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFile appends the content of a state's file to b.
func appendFile(b []byte, experiment string, v alertlog.Version, state []byte) []byte {
	from := len(b)
	b = append(b, diskFormat, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, v.Epoch)
	b = binary.BigEndian.AppendUint64(b, v.Sequence)
	b = binary.BigEndian.AppendUint32(b, uint32(len(experiment)))
	b = append(append(b, experiment...), state...)
	resum(b[from:])
	return b
}

// resum writes the checksum of a file's content into it.
func resum(b []byte) []byte {
	binary.BigEndian.PutUint32(b[1:], crc32.Checksum(b[diskHeader:], castagnoli))
	return b
}

// parseFile reads the content of a state's file. The state is part of b.
func parseFile(b []byte) (experiment string, v alertlog.Version, state []byte, err error) {
	if len(b) > 0 && b[0] != diskFormat {
		return "", v, nil, fmt.Errorf("format %d, this version reads %d: %w", b[0], diskFormat, ErrFormat)
	}
	if len(b) < diskFixed {
		return "", v, nil, fmt.Errorf("%d bytes, want at least %d: %w", len(b), diskFixed, ErrDamaged)
	}
	if got, want := crc32.Checksum(b[diskHeader:], castagnoli), binary.BigEndian.Uint32(b[1:]); got != want {
		return "", v, nil, fmt.Errorf("checksum %08x, want %08x: %w", got, want, ErrDamaged)
	}
	name := uint64(binary.BigEndian.Uint32(b[diskFixed-4:]))
	if rest := uint64(len(b) - diskFixed); name > rest {
		return "", v, nil, fmt.Errorf("name of %d bytes, %d are left: %w", name, rest, ErrDamaged)
	}
	v = alertlog.Version{Epoch: binary.BigEndian.Uint64(b[diskHeader:]), Sequence: binary.BigEndian.Uint64(b[diskHeader+8:])}
	end := diskFixed + int(name)
	return string(b[diskFixed:end]), v, b[end:], nil
}

// Disk is a Store in a directory: one file an experiment.
type Disk struct{ dir string }

// OpenDisk makes the directory where it is missing.
func OpenDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("alerts: states: %w", err)
	}
	return &Disk{dir}, nil
}

func (d *Disk) path(experiment string) string {
	sum := sha256.Sum256([]byte(experiment))
	return filepath.Join(d.dir, hex.EncodeToString(sum[:16])+".state")
}

// Load implements Store. It fails with ErrFormat, ErrDamaged or an error of the disk.
func (d *Disk) Load(experiment string) (v alertlog.Version, state []byte, ok bool, err error) {
	path := d.path(experiment)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil, false, nil
	}
	if err != nil {
		return v, nil, false, err
	}
	name, v, state, err := parseFile(b)
	if err == nil && name != experiment {
		err = fmt.Errorf("the state of %q, want that of %q: %w", name, experiment, ErrDamaged)
	}
	if errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%w; run the version that wrote it, or remove the file to have the alerts of %q begin anew", err, experiment)
	}
	if err != nil {
		return alertlog.Version{}, nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return v, state, true, nil
}

// Save implements Store: the file is written beside the old one, synced, and
// put in its place.
func (d *Disk) Save(experiment string, v alertlog.Version, state []byte) error {
	path := d.path(experiment)
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(appendFile(nil, experiment, v, state))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Memory is a Store that is lost with the process.
type Memory struct {
	mu     sync.Mutex
	states map[string]saved
}

type saved struct {
	version alertlog.Version
	state   []byte
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{states: map[string]saved{}} }

// Load implements Store.
func (m *Memory) Load(experiment string) (alertlog.Version, []byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.states[experiment]
	return s.version, s.state, ok, nil
}

// Save implements Store.
func (m *Memory) Save(experiment string, v alertlog.Version, state []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[experiment] = saved{v, state}
	return nil
}
