package consumer

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/segmentio/kafka-go"
)

// balancerProtocol names the rules below; members with other rules cannot join
// the same group.
const balancerProtocol = "rampgauge-copartitioned-1"

// userDataVersion begins the balancer's user data: the partition numbers whose
// state lies with a member, as varints.
const userDataVersion = 1

// balancer assigns partition p of all topics to the same member. A member
// keeps the partitions whose state lies with it as far as an even count
// allows; the result depends on the members and partitions alone.
type balancer struct {
	topics []string
	held   func() []int32
}

var _ kafka.GroupBalancer = balancer{}

func (b balancer) ProtocolName() string { return balancerProtocol }

func (b balancer) UserData() ([]byte, error) { return encodeHeld(b.held()), nil }

func encodeHeld(held []int32) []byte {
	held = slices.Clone(held)
	slices.Sort(held)
	data := []byte{userDataVersion}
	for _, p := range slices.Compact(held) {
		data = binary.AppendUvarint(data, uint64(p))
	}
	return data
}

// decodeHeld reads another member's user data. What it cannot read counts as
// nothing held: stickiness is a matter of cost, not of correctness.
func decodeHeld(data []byte) map[int]bool {
	held := make(map[int]bool)
	if len(data) == 0 || data[0] != userDataVersion {
		return held
	}
	for data = data[1:]; len(data) > 0; {
		p, n := binary.Uvarint(data)
		if n <= 0 || p > 1<<31-1 {
			break
		}
		held[int(p)] = true
		data = data[n:]
	}
	return held
}

// AssignGroups gives each partition number that all topics have to one member.
func (b balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	type seat struct {
		id   string
		held map[int]bool
		got  []int
	}
	seats := make([]*seat, len(members))
	for i, m := range members {
		seats[i] = &seat{id: m.ID, held: decodeHeld(m.UserData)}
	}
	slices.SortFunc(seats, func(x, y *seat) int { return cmp.Compare(x.id, y.id) })

	numbers := b.common(partitions)
	result := make(kafka.GroupMemberAssignments, len(seats))
	if len(seats) == 0 {
		return result
	}
	share, extra := len(numbers)/len(seats), len(numbers)%len(seats)
	// fits says whether s may take one more: everyone gets share, and the
	// first `extra` of those that ask one more.
	fits := func(s *seat) bool {
		return len(s.got) < share || len(s.got) == share && extra > 0
	}
	give := func(s *seat, p int) {
		if len(s.got) == share {
			extra--
		}
		s.got = append(s.got, p)
	}
	fewest := func(of func(*seat) bool) *seat {
		var best *seat
		for _, s := range seats {
			if of(s) && fits(s) && (best == nil || len(s.got) < len(best.got)) {
				best = s
			}
		}
		return best
	}
	var free []int
	for _, p := range numbers {
		if s := fewest(func(s *seat) bool { return s.held[p] }); s != nil {
			give(s, p)
		} else {
			free = append(free, p)
		}
	}
	for _, p := range free {
		give(fewest(func(*seat) bool { return true }), p)
	}
	for _, s := range seats {
		slices.Sort(s.got)
		result[s.id] = make(map[string][]int, len(b.topics))
		for _, t := range b.topics {
			result[s.id][t] = s.got
		}
	}
	return result
}

// common lists the partition numbers that every topic has, ascending.
func (b balancer) common(partitions []kafka.Partition) []int {
	count := make(map[int]int)
	for _, p := range partitions {
		if slices.Contains(b.topics, p.Topic) {
			count[p.ID]++
		}
	}
	var numbers []int
	for p, n := range count {
		if n == len(b.topics) {
			numbers = append(numbers, p)
		}
	}
	slices.Sort(numbers)
	return numbers
}
