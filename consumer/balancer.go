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

// userDataVersion begins the balancer's user data: how many partition numbers a
// member works on, these, and then those whose state lies with it from earlier
// on, all as varints.
const userDataVersion = 2

// balancer assigns partition p of all topics to the same member. A member
// keeps the partitions that it works on, and then gets those whose state lies
// with it, as far as an even count allows; the result depends on the members
// and partitions alone.
type balancer struct {
	topics []string
	claims func() claims
}

// claims are the partitions that a member would rather have than others.
type claims struct {
	working []int32 // its state there is the newest of all
	held    []int32 // it has some state, which may be old
}

var _ kafka.GroupBalancer = balancer{}

func (b balancer) ProtocolName() string { return balancerProtocol }

func (b balancer) UserData() ([]byte, error) { return encodeClaims(b.claims()), nil }

func encodeClaims(c claims) []byte {
	working, held := slices.Clone(c.working), slices.Clone(c.held)
	slices.Sort(working)
	slices.Sort(held)
	working = slices.Compact(working)
	data := binary.AppendUvarint([]byte{userDataVersion}, uint64(len(working)))
	for _, p := range slices.Concat(working, slices.Compact(held)) {
		data = binary.AppendUvarint(data, uint64(p))
	}
	return data
}

// decodeClaims reads another member's user data. What it cannot read counts as
// no claim: stickiness is a matter of cost, not of correctness.
func decodeClaims(data []byte) (working, held map[int]bool) {
	working, held = make(map[int]bool), make(map[int]bool)
	if len(data) == 0 || data[0] != userDataVersion {
		return working, held
	}
	data = data[1:]
	first, n := binary.Uvarint(data)
	for n > 0 {
		data = data[n:]
		var p uint64
		if p, n = binary.Uvarint(data); n <= 0 || p > 1<<31-1 {
			break
		}
		if first > 0 {
			first--
			working[int(p)] = true
		} else {
			held[int(p)] = true
		}
	}
	return working, held
}

// AssignGroups gives each partition number that all topics have to one member.
func (b balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	type seat struct {
		id            string
		working, held map[int]bool
		got           []int
	}
	seats := make([]*seat, len(members))
	for i, m := range members {
		seats[i] = &seat{id: m.ID}
		seats[i].working, seats[i].held = decodeClaims(m.UserData)
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
	for _, claim := range []func(*seat, int) bool{
		func(s *seat, p int) bool { return s.working[p] },
		func(s *seat, p int) bool { return s.held[p] },
		func(*seat, int) bool { return true },
	} {
		var left []int
		for _, p := range numbers {
			if s := fewest(func(s *seat) bool { return claim(s, p) }); s != nil {
				give(s, p)
			} else {
				left = append(left, p)
			}
		}
		numbers = left
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
