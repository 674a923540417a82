package eventfile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Record is one event as its topic would hold it. Its bytes are the caller's.
type Record struct {
	Stream event.Stream
	Format event.Format // of Value, unless Decoded is false
	// Key is the auction_id, or for a conversion without one the impression_id,
	// or a constant where neither can be found out. It is never empty.
	Key   []byte
	Value []byte
	// EventTimeMs is in Unix milliseconds. A record that does not decode has the
	// time of the one before it in its file, and 0 when it is the first.
	EventTimeMs int64
	// Decoded is false for a record that is passed on as it stands in the file.
	Decoded bool
}

// Options says what to read and how.
type Options struct {
	// Dir holds the files. A stream without a file is empty; at least one has one.
	Dir string
	// Formats are those of the topics: values are converted to them.
	Formats [event.NumStreams]event.Format
	// StreamByStream returns all predictions, then all impressions, then all
	// conversions. Otherwise the streams are merged by event time, each in the
	// order of its file.
	StreamByStream bool
}

// Reader reads the files of a directory. It belongs to one goroutine, but for
// Progress.
type Reader struct {
	sources        []*source // in the order of streams
	streamByStream bool
}

// source is one stream's file with its next record.
type source struct {
	file   *file
	frames *frames
	codec  *codec
	timeMs int64 // of the last record that decoded
	head   Record
	loaded bool
	done   bool
}

// Open finds and opens the files. The error names what is missing, twice there
// or unreadable; ErrNoFiles when there is nothing to read.
func Open(o Options) (*Reader, error) {
	r := &Reader{streamByStream: o.StreamByStream}
	var errs []error
	for s := range event.NumStreams {
		path, format, err := find(o.Dir, s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if path == "" {
			continue
		}
		f, err := openFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.sources = append(r.sources, &source{
			file: f, frames: newFrames(f, path, format), codec: newCodec(s, format, o.Formats[s]),
		})
	}
	if len(errs) == 0 && len(r.sources) == 0 {
		var suffixes []string
		for _, e := range endings {
			suffixes = append(suffixes, e.suffix)
		}
		errs = append(errs, fmt.Errorf("event files: %s: want predictions, impressions or conversions with one of %s: %w",
			o.Dir, strings.Join(suffixes, ", "), ErrNoFiles))
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, r.Close())...)
	}
	return r, nil
}

// Next returns the next record, io.EOF behind the last one, or an error that
// names the file and the line: a file that cannot be read or unpacked to its
// end. After an error there is nothing more to read.
func (r *Reader) Next() (Record, error) {
	first, err := r.first()
	if err != nil {
		return Record{}, err
	}
	first.loaded = false
	return first.head, nil
}

// first is the source whose head comes next, or the error io.EOF.
func (r *Reader) first() (*source, error) {
	var first *source
	for _, s := range r.sources {
		if err := s.load(); err != nil {
			return nil, err
		}
		switch {
		case s.done:
		case first == nil, !r.streamByStream && s.head.EventTimeMs < first.head.EventTimeMs:
			first = s
		}
	}
	if first == nil {
		return nil, io.EOF
	}
	return first, nil
}

// firstTimeMs is the event time of the record that Next will return, or the
// largest number behind the last one.
func (r *Reader) firstTimeMs() (int64, error) {
	first, err := r.first()
	if errors.Is(err, io.EOF) {
		return math.MaxInt64, nil
	}
	if err != nil {
		return 0, err
	}
	return first.head.EventTimeMs, nil
}

// load fills the source's head.
func (s *source) load() error {
	if s.loaded || s.done {
		return nil
	}
	raw, err := s.frames.next()
	if errors.Is(err, io.EOF) {
		s.done = true
		return nil
	}
	if err != nil {
		return err
	}
	value, id, ok := s.codec.record(raw)
	if ok {
		s.timeMs = id.timeMs
	}
	s.head = Record{
		Stream: s.codec.stream, Format: s.codec.to,
		Key: []byte(id.key), Value: value, EventTimeMs: s.timeMs, Decoded: ok,
	}
	s.loaded = true
	return nil
}

// Progress returns the bytes read so far and in all, as the files are stored.
// It may be called from any goroutine.
func (r *Reader) Progress() (read, size int64) {
	for _, s := range r.sources {
		read += s.file.read.Load()
		size += s.file.size
	}
	return read, size
}

// Close releases the files.
func (r *Reader) Close() error {
	var errs []error
	for _, s := range r.sources {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}
