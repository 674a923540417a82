package consumer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchFrame encodes a fetch response with franz-go, as a broker would.
func fetchFrame(version int16, parts ...kmsg.FetchResponseTopicPartition) []byte {
	res := kmsg.FetchResponse{Version: version, Topics: []kmsg.FetchResponseTopic{{Topic: "predictions", Partitions: parts}, {Topic: "impressions"}}}
	body := res.AppendTo(binary.BigEndian.AppendUint32(nil, correlation))
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func wireParts() []kmsg.FetchResponseTopicPartition {
	a, b := kmsg.NewFetchResponseTopicPartition(), kmsg.NewFetchResponseTopicPartition()
	a.Partition, a.HighWatermark, a.LastStableOffset, a.RecordBatches = 0, 90, 80, []byte("record set")
	a.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 7, FirstOffset: 5}, {ProducerID: 8, FirstOffset: 6}}
	b.Partition, b.ErrorCode, b.HighWatermark, b.LastStableOffset = 1, 6, -1, -1
	return []kmsg.FetchResponseTopicPartition{a, b}
}

func wireRequest(version int16) *fetchRequest {
	r := &fetchRequest{version: version, buffers: new(buffers)}
	for p := range int32(2) {
		r.targets = append(r.targets, fetchTarget{source: &source{topic: "predictions", partition: p}})
	}
	return r
}

type wireResult struct {
	Partition       int32
	Code            int
	High, Stable    int64
	Aborted, Record string
}

func summarize(res *fetchResponse) (all []wireResult) {
	for _, p := range res.parts {
		w := wireResult{Partition: p.target.source.partition, Code: int(p.code), High: p.highWater, Stable: p.stable, Aborted: fmt.Sprint(p.aborted)}
		if p.data != nil {
			w.Record = string(p.data.bytes)
		}
		all = append(all, w)
	}
	return all
}

func TestReadFetchResponse(t *testing.T) {
	for version := int16(4); version <= 11; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			raw := append(fetchFrame(version, wireParts()...), "next response"...)
			r := bytes.NewReader(raw)
			res, err := wireRequest(version).read(r)
			if err != nil {
				t.Fatal(err)
			}
			want := []wireResult{
				{Partition: 0, High: 90, Stable: 80, Aborted: "[{7 5} {8 6}]", Record: "record set"},
				{Partition: 1, Code: 6, High: -1, Stable: -1, Aborted: "[]"},
			}
			if diff := cmp.Diff(want, summarize(res)); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			if rest, _ := io.ReadAll(r); string(rest) != "next response" {
				t.Errorf("left on the connection: %q", rest)
			}
		})
	}
}

// A connection may end, and a length may lie, anywhere.
func TestReadFetchResponseDamaged(t *testing.T) {
	raw := fetchFrame(11, wireParts()...)
	for n := range raw {
		if _, err := wireRequest(11).read(bytes.NewReader(raw[:n])); err == nil {
			t.Fatalf("%d of %d bytes: no error", n, len(raw))
		}
	}
	short := bytes.Clone(raw)
	binary.BigEndian.PutUint32(short, uint32(len(raw)-4-9))
	if _, err := wireRequest(11).read(bytes.NewReader(short)); !errors.Is(err, errFrame) {
		t.Errorf("frame shorter than its content: got error %v, want %v", err, errFrame)
	}
	other := wireRequest(11)
	other.targets = other.targets[:1]
	if _, err := other.read(bytes.NewReader(raw)); !errors.Is(err, errFrame) {
		t.Errorf("partition that was not asked for: got error %v, want %v", err, errFrame)
	}
	if _, err := wireRequest(3).RawExchange(nil); !errors.Is(err, errVersion) {
		t.Errorf("broker of fetch v3: got error %v, want %v", err, errVersion)
	}
}

func FuzzReadFetchResponse(f *testing.F) {
	for version := int16(4); version <= 11; version++ {
		f.Add(version, fetchFrame(version, wireParts()...))
	}
	f.Fuzz(func(t *testing.T, version int16, raw []byte) {
		if version < 4 || version > 11 {
			return
		}
		res, err := wireRequest(version).read(bytes.NewReader(raw))
		if err != nil {
			return
		}
		size := 0
		for _, p := range res.parts {
			if p.data != nil {
				size += len(p.data.bytes)
			}
		}
		if size > len(raw) {
			t.Fatalf("%d bytes of records from %d", size, len(raw))
		}
	})
}
