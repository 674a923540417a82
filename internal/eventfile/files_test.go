package eventfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// compress packs data as the file's name asks for.
func compress(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch {
	case strings.HasSuffix(name, ".gz"):
		w = gzip.NewWriter(&b)
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return data
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encode is a file's content before compression.
func encode(t *testing.T, name string, messages ...proto.Message) []byte {
	t.Helper()
	var b []byte
	for _, m := range messages {
		if strings.Contains(name, ".pb") {
			raw, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			b = append(binary.AppendUvarint(b, uint64(len(raw))), raw...)
			continue
		}
		raw, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		b = append(append(b, raw...), '\n')
	}
	return b
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), compress(t, name, content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readAll returns all records of dir as protobuf or JSON.
func readAll(t *testing.T, o Options) ([]Record, error) {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	var records []Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			if read, size := r.Progress(); read != size {
				t.Errorf("at the end: read %d of %d bytes", read, size)
			}
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records = append(records, rec)
	}
}

func auction(id string, timeMs int64) *eventpb.Prediction {
	return &eventpb.Prediction{
		AuctionId: id, EventTimeMs: timeMs,
		Assignments: []*eventpb.Assignment{{Experiment: "e", Arm: "control", RampPercent: 50}},
		Candidates:  &eventpb.Candidates{ItemIds: []uint64{1, 1 << 63}, Predictions: []float32{0.25, 0.00709129}},
	}
}

var sample = struct{ predictions, impressions, conversions []proto.Message }{
	predictions: []proto.Message{auction("a", 1000), auction("b", 3000), auction("c", 2000)},
	impressions: []proto.Message{
		&eventpb.Impression{ImpressionId: "a-1", AuctionId: "a", ItemId: 1, EventTimeMs: 1000},
		&eventpb.Impression{ImpressionId: "b-1", AuctionId: "b", ItemId: 1, EventTimeMs: 2500},
	},
	conversions: []proto.Message{
		&eventpb.Conversion{ConversionId: "x", ImpressionId: "a-1", AuctionId: "a", EventTimeMs: 900},
		&eventpb.Conversion{ConversionId: "y", ImpressionId: "b-1", EventTimeMs: 9000},
	},
}

// order is how records came, in short.
func order(records []Record) string {
	var parts []string
	for _, r := range records {
		parts = append(parts, r.Stream.String()[:1]+":"+string(r.Key))
	}
	return strings.Join(parts, " ")
}

func TestReadEveryEndingAndFormat(t *testing.T) {
	for _, e := range endings {
		for _, want := range []event.Format{event.Protobuf, event.JSON} {
			t.Run(e.suffix+" as "+want.String(), func(t *testing.T) {
				dir := t.TempDir()
				for name, messages := range map[string][]proto.Message{
					"predictions": sample.predictions, "impressions": sample.impressions, "conversions": sample.conversions,
				} {
					write(t, dir, name+e.suffix, encode(t, e.suffix, messages...))
				}
				o := Options{Dir: dir, Formats: [event.NumStreams]event.Format{want, want, want}}
				merged, err := readAll(t, o)
				if err != nil {
					t.Fatal(err)
				}
				// c is out of order in its file, so it comes behind b.
				if got, want := order(merged), "c:a p:a i:a i:b p:b p:c c:b-1"; got != want {
					t.Errorf("merged: got %s, want %s", got, want)
				}
				o.StreamByStream = true
				streams, err := readAll(t, o)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := order(streams), "p:a p:b p:c i:a i:b c:a c:b-1"; got != want {
					t.Errorf("stream by stream: got %s, want %s", got, want)
				}
				for i, m := range append(append(append([]proto.Message{}, sample.predictions...), sample.impressions...), sample.conversions...) {
					got, unmarshal := m.ProtoReflect().New().Interface(), proto.Unmarshal
					if want == event.JSON {
						unmarshal = protojson.Unmarshal
					}
					if err := unmarshal(streams[i].Value, got); err != nil {
						t.Fatalf("record %d: %v", i, err)
					}
					if !proto.Equal(m, got) || !streams[i].Decoded || streams[i].Format != want {
						t.Errorf("record %d: got %v, %v, decoded %v; want %v", i, got, streams[i].Format, streams[i].Decoded, m)
					}
				}
			})
		}
	}
}

// A record that breaks the contract goes on as it stands, under the best key
// that it shows.
func TestUndecodableRecords(t *testing.T) {
	good := string(encode(t, ".ndjson", auction("a", 1000)))
	lines := []string{
		`not json`,
		strings.TrimSpace(good),
		`{"auctionId":"typed","eventTimeMs":[]}`,
		`{"auction_id":"snake","unknown":1}`,
		`{"auctionId":""}`,
		`{"auctionId":7}`,
		`null`,
	}
	for _, want := range []event.Format{event.Protobuf, event.JSON} {
		dir := t.TempDir()
		write(t, dir, "predictions.ndjson", []byte(strings.Join(lines, "\r\n")+"\n\n"))
		write(t, dir, "conversions.ndjson", []byte(`{"impressionId":"i-1","eventTimeMs":"soon"}`+"\n"))
		records, err := readAll(t, Options{Dir: dir, Formats: [event.NumStreams]event.Format{want, want, want}, StreamByStream: true})
		if err != nil || len(records) != len(lines)+1 {
			t.Fatalf("%v: got %d records, %v; want %d", want, len(records), err, len(lines)+1)
		}
		var keys []string
		for i, r := range records {
			keys = append(keys, string(r.Key))
			if i < len(lines) && !r.Decoded && string(r.Value) != lines[i] {
				t.Errorf("%v: %s: became %q", want, lines[i], r.Value)
			}
		}
		wantKeys := []string{undecodableKey, "a", "typed", "snake", undecodableKey, undecodableKey, undecodableKey, "i-1"}
		if diff := cmp.Diff(wantKeys, keys); diff != "" {
			t.Errorf("%v: keys (-want +got):\n%s", want, diff)
		}
		if got := records[2].EventTimeMs; got != 1000 {
			t.Errorf("%v: event time of a bad record: got %d, want that of the one before, 1000", want, got)
		}
	}
}

func TestUndecodableProtobuf(t *testing.T) {
	raw, err := proto.Marshal(auction("known", 1000))
	if err != nil {
		t.Fatal(err)
	}
	truncated, empty := raw[:len(raw)-3], []byte{}
	dir := t.TempDir()
	var file []byte
	for _, b := range [][]byte{truncated, empty, raw} {
		file = append(binary.AppendUvarint(file, uint64(len(b))), b...)
	}
	write(t, dir, "predictions.pb", file)
	records, err := readAll(t, Options{Dir: dir})
	if err != nil || order(records) != "p:known p:undecodable p:known" {
		t.Fatalf("got %s, %v", order(records), err)
	}
	if records[0].Decoded || records[1].Decoded || !records[2].Decoded || !bytes.Equal(records[0].Value, truncated) {
		t.Errorf("got %+v", records)
	}
}

func TestErrorsNameFileAndLine(t *testing.T) {
	lines := bytes.Repeat(encode(t, ".ndjson", auction("a", 1000)), 2000)
	frame := encode(t, ".pb", auction("a", 1000))
	for _, tc := range []struct {
		name, file string
		content    []byte // as stored
		want       string
	}{
		{"no files", "notes.txt", nil, "want predictions, impressions or conversions with one of .ndjson, .ndjson.gz"},
		{"truncated gzip", "predictions.ndjson.gz", cut(compress(t, ".gz", lines), 9), "predictions.ndjson.gz:2001: unexpected EOF"},
		{"not gzip", "predictions.ndjson.gz", lines, "predictions.ndjson.gz: not gzip"},
		{"not zstd", "predictions.pb.zst", frame, "predictions.pb.zst:1: "},
		{"truncated record", "impressions.pb", append(append([]byte{}, frame...), cut(frame, 2)...), "impressions.pb:2: record 2 of"},
		{"truncated length", "impressions.pb", append(append([]byte{}, frame...), 0xff), "impressions.pb:2: length of record 2: unexpected EOF"},
		{"JSON named .pb", "conversions.pb", []byte("\xff\xff\xff\xff\x7f{}"), "conversions.pb:1: record 1 is 34359738367 bytes long"},
		{"lying length", "conversions.pb", binary.AppendUvarint(nil, maxRecord), "conversions.pb:1: record 1 of 67108864 bytes: unexpected EOF"},
		{"endless line", "conversions.ndjson", bytes.Repeat([]byte("x"), maxRecord+1), "conversions.ndjson:1: line is longer than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, tc.file), tc.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readAll(t, Options{Dir: dir, Formats: [event.NumStreams]event.Format{event.JSON, event.Protobuf, event.Protobuf}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if errors.Is(err, ErrNoFiles) != (tc.name == "no files") {
				t.Errorf("got %v; is it ErrNoFiles?", err)
			}
		})
	}
}

func TestTwoFilesOfOneStream(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "predictions.ndjson", nil)
	write(t, dir, "predictions.pb.zst", nil)
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "both hold predictions; keep one") {
		t.Errorf("got %v", err)
	}
}

func TestMissingDirectory(t *testing.T) {
	if _, err := Open(Options{Dir: filepath.Join(t.TempDir(), "nowhere")}); !errors.Is(err, ErrNoFiles) {
		t.Errorf("got %v, want ErrNoFiles", err)
	}
}

func cut(b []byte, n int) []byte { return b[:len(b)-n] }

// Whatever stands in a file, reading it ends, keeps every key non-empty and
// loses nothing silently.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("{}\n{\"auctionId\":\"a\"}\r\n\n"), true)
	f.Add([]byte{3, 10, 1, 'a', 0, 255}, false)
	f.Fuzz(func(t *testing.T, data []byte, lines bool) {
		format := event.Protobuf
		if lines {
			format = event.JSON
		}
		frames := newFrames(bytes.NewReader(data), "fuzz", format)
		decode := newCodec(event.Conversions, format, event.Protobuf)
		total := 0
		for {
			raw, err := frames.next()
			if err != nil {
				if errors.Is(err, io.EOF) && !lines && frames.line == 1 && len(data) > 0 {
					t.Errorf("%d bytes without a record or an error", len(data))
				}
				return
			}
			total += len(raw)
			if total > len(data) {
				t.Fatalf("%d bytes of records out of %d", total, len(data))
			}
			if _, id, _ := decode.record(raw); id.key == "" {
				t.Fatalf("%q: empty key", raw)
			}
		}
	})
}
