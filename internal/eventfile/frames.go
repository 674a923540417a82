package eventfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// maxRecord bounds one record, in bytes. A longer one means that the file is
// not what its name says.
const maxRecord = 64 << 20

// frames splits a file into records.
type frames struct {
	r      *bufio.Reader
	path   string
	format event.Format
	line   int // of the record returned last: its line, or its number in a .pb file
}

func newFrames(r io.Reader, path string, format event.Format) *frames {
	return &frames{r: bufio.NewReaderSize(r, 1<<20), path: path, format: format}
}

// next returns a copy of the next record, or io.EOF. Blank lines are no records.
func (f *frames) next() ([]byte, error) {
	read := f.nextFrame
	if f.format == event.JSON {
		read = f.nextLine
	}
	b, err := read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, f.errorf("%w", err)
	}
	return b, err
}

// errorf puts the file and the line before a problem.
func (f *frames) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: "+format, append([]any{f.path, f.line}, args...)...)
}

func (f *frames) nextLine() ([]byte, error) {
	for {
		f.line++
		line, err := f.wholeLine()
		line = bytes.TrimSpace(line)
		if len(line) > 0 || err != nil {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				err = nil // the last line may lack its end
			}
			return line, err
		}
	}
}

// wholeLine reads up to the end of the line.
func (f *frames) wholeLine() ([]byte, error) {
	var line []byte
	for {
		part, err := f.r.ReadSlice('\n')
		if len(line)+len(part) > maxRecord {
			return nil, fmt.Errorf("line is longer than %d bytes", maxRecord)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func (f *frames) nextFrame() ([]byte, error) {
	f.line++
	if _, err := f.r.Peek(1); err != nil {
		return nil, err
	}
	n, err := binary.ReadUvarint(f.r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("length of record %d: %w", f.line, midRecord(err))
	case n > maxRecord:
		return nil, fmt.Errorf("record %d is %d bytes long, more than %d: not a file of length-prefixed records", f.line, n, maxRecord)
	}
	// A length that lies must not cost its memory before the file ends.
	var b bytes.Buffer
	if _, err := io.CopyN(&b, f.r, int64(n)); err != nil {
		return nil, fmt.Errorf("record %d of %d bytes: %w", f.line, n, midRecord(err))
	}
	return b.Bytes(), nil
}

// midRecord is err for a file that ends within a record.
func midRecord(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
