package deliver

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// format is the version of the journal. Its lines are a checksum (CRC-32C, eight
// hexadecimal digits), a blank, and a record in JSON.
const format = 1

// The files of a directory.
const (
	journalName = "outbox.journal"
	asideName   = "outbox.journal.new"
)

// compactAt is how large a journal is at least when it is written anew, in
// bytes.
const compactAt = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errFormat is a journal that another version has written.
var errFormat = errors.New("unknown format")

// appendRecord appends the line of a record to b.
func appendRecord(b []byte, r record) ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return b, err
	}
	return appendLine(b, data), nil
}

func appendLine(b, data []byte) []byte {
	b = fmt.Appendf(b, "%08x ", crc32.Checksum(data, castagnoli))
	return append(append(b, data...), '\n')
}

// readJournal returns the state of a journal, and how many lines were damaged:
// the last of a process that was killed, or what a disk has lost. They are
// passed over. Only a journal of another format is an error.
func readJournal(data []byte) (s *state, damaged int, err error) {
	s = newState()
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		data = rest
		r, ok := parseRecord(line)
		if !ok {
			damaged++
			continue
		}
		if r.Format != 0 && r.Format != format {
			return nil, damaged, fmt.Errorf("format %d, want %d: %w", r.Format, format, errFormat)
		}
		s.apply(r)
	}
	return s, damaged, nil
}

func parseRecord(line []byte) (r record, ok bool) {
	if len(line) < 10 || line[8] != ' ' {
		return record{}, false
	}
	var sum [4]byte
	if _, err := hex.Decode(sum[:], line[:8]); err != nil {
		return record{}, false
	}
	want := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	if crc32.Checksum(line[9:], castagnoli) != want {
		return record{}, false
	}
	return r, json.Unmarshal(line[9:], &r) == nil
}

// journal is the file of a state. It is for one goroutine at a time.
type journal struct {
	dir     string
	file    *os.File // nil: what is in the file is not known, so that it has to be written anew
	size    int64
	compact int64 // the size at which to write it anew
}

// openJournal reads the journal of a directory, which it makes if need be, and
// writes it anew, so that no damage stays in it.
func openJournal(dir string, now time.Time) (j *journal, s *state, damaged int, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, 0, fmt.Errorf("outbox: %w", err)
	}
	path := filepath.Join(dir, journalName)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, 0, fmt.Errorf("outbox: %w", err)
	}
	s, damaged, err = readJournal(data)
	if err != nil {
		return nil, nil, damaged, fmt.Errorf("outbox %s: %w", path, err)
	}
	j = &journal{dir: dir}
	if err := j.rewrite(s, now); err != nil {
		return nil, nil, damaged, err
	}
	// The directory's own name has to be there after a power failure, too.
	return j, s, damaged, syncDir(filepath.Dir(dir))
}

// append writes records behind those that are there, and syncs them if durable.
// state has them already; it is what is written if the file has to be begun anew.
func (j *journal) append(s *state, now time.Time, durable bool, records ...record) error {
	if j.file == nil || j.size > j.compact {
		return j.rewrite(s, now)
	}
	var b []byte
	var err error
	for _, r := range records {
		if b, err = appendRecord(b, r); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
	n, err := j.file.Write(b)
	j.size += int64(n)
	if err == nil && durable {
		err = j.file.Sync()
	}
	if err != nil {
		// Half a line may stand there, and after a failed sync nobody knows what
		// does: nothing may be written behind it.
		_ = j.file.Close()
		j.file = nil
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

// rewrite puts a journal of the state alone in the place of the old one.
func (j *journal) rewrite(s *state, now time.Time) error {
	var b []byte
	var err error
	for _, r := range s.snapshot(now) {
		if b, err = appendRecord(b, r); err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
	if err := j.replace(b); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	j.size, j.compact = int64(len(b)), max(compactAt, 4*int64(len(b)))
	return nil
}

func (j *journal) replace(b []byte) error {
	aside := filepath.Join(j.dir, asideName)
	f, err := os.OpenFile(aside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(aside, filepath.Join(j.dir, journalName))
	}
	if err == nil {
		err = syncDir(j.dir)
	}
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file = f // the handle goes on under the new name
	return nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
