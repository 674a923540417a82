package consumer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

var balancedTopics = []string{"predictions", "impressions", "conversions"}

func partitionsOf(counts ...int) []kafka.Partition {
	var all []kafka.Partition
	for i, n := range counts {
		for p := range n {
			all = append(all, kafka.Partition{Topic: balancedTopics[i], ID: p})
		}
	}
	return all
}

// assignment prints who got what, and checks that the topics are co-partitioned.
func assignment(t *testing.T, members []kafka.GroupMember, partitions []kafka.Partition) string {
	t.Helper()
	got := balancer{topics: balancedTopics}.AssignGroups(members, partitions)
	var parts []string
	for id, topics := range got {
		for _, topic := range balancedTopics {
			if !slices.Equal(topics[topic], topics["predictions"]) {
				t.Errorf("member %s: %s gets %v, predictions %v", id, topic, topics[topic], topics["predictions"])
			}
		}
		parts = append(parts, fmt.Sprintf("%s%v", id, topics["predictions"]))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func holding(id string, held ...int32) kafka.GroupMember {
	return kafka.GroupMember{ID: id, Topics: balancedTopics, UserData: encodeClaims(claims{held: held})}
}

func working(id string, on ...int32) kafka.GroupMember {
	return kafka.GroupMember{ID: id, Topics: balancedTopics, UserData: encodeClaims(claims{working: on, held: on})}
}

func TestBalancer(t *testing.T) {
	for _, tc := range []struct {
		name    string
		members []kafka.GroupMember
		counts  []int
		want    string
	}{
		{"one member", []kafka.GroupMember{holding("a")}, []int{3, 3, 3}, "a[0 1 2]"},
		{"even", []kafka.GroupMember{holding("b"), holding("a")}, []int{4, 4, 4}, "a[0 2] b[1 3]"},
		{"more members than partitions", []kafka.GroupMember{holding("a"), holding("b"), holding("c")}, []int{2, 2, 2}, "a[0] b[1] c[]"},
		{"keeps what is held", []kafka.GroupMember{holding("a", 1, 3), holding("b", 0, 2)}, []int{4, 4, 4}, "a[1 3] b[0 2]"},
		{"a newcomer takes a fair share only", []kafka.GroupMember{holding("a", 0, 1, 2, 3), holding("b")}, []int{4, 4, 4}, "a[0 1] b[2 3]"},
		{"the odd one stays where it is held", []kafka.GroupMember{holding("a"), holding("b", 0, 1, 2)}, []int{3, 3, 3}, "a[2] b[0 1]"},
		{"claimed twice", []kafka.GroupMember{holding("a", 0), holding("b", 0)}, []int{2, 2, 2}, "a[0] b[1]"},
		{"who works on it before who has it from earlier on", []kafka.GroupMember{holding("a", 0, 1), working("b", 0, 1)}, []int{4, 4, 4}, "a[2 3] b[0 1]"},
		{"what is worked on moves where the count asks for it", []kafka.GroupMember{holding("a", 2), working("b", 0, 1, 2)}, []int{3, 3, 3}, "a[2] b[0 1]"},
		{"held but gone", []kafka.GroupMember{holding("a", 7), holding("b", 1)}, []int{2, 2, 2}, "a[0] b[1]"},
		{"a number that one topic lacks", []kafka.GroupMember{holding("a")}, []int{3, 2, 3}, "a[0 1]"},
		{"user data of nobody's", []kafka.GroupMember{{ID: "a", UserData: []byte("\x09what")}, {ID: "b", UserData: []byte{2, 1, 0xff}}}, []int{2, 2, 2}, "a[0] b[1]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := assignment(t, tc.members, partitionsOf(tc.counts...)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			slices.Reverse(tc.members)
			if got := assignment(t, tc.members, partitionsOf(tc.counts...)); got != tc.want {
				t.Errorf("members in another order: got %s, want %s", got, tc.want)
			}
		})
	}
}

// Whatever members claim: every partition goes to one of them, counts differ
// by one at most, and a claim that nobody disputes and that fits is honoured.
func TestBalancerProperties(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n, m := rng.IntN(20), 1+rng.IntN(6)
		members := make([]kafka.GroupMember, m)
		claims := make(map[int][]string)
		for i := range members {
			var held []int32
			for p := range n {
				if rng.IntN(m+1) == 0 {
					held = append(held, int32(p))
					claims[p] = append(claims[p], fmt.Sprint(i))
				}
			}
			members[i] = holding(fmt.Sprint(i), held...)
		}
		got := balancer{topics: balancedTopics}.AssignGroups(members, partitionsOf(n, n, n))
		seen := make([]int, n)
		least, most := n, 0
		for _, topics := range got {
			list := topics["predictions"]
			least, most = min(least, len(list)), max(most, len(list))
			for _, p := range list {
				seen[p]++
			}
		}
		if most-least > 1 || slices.ContainsFunc(seen, func(c int) bool { return c != 1 }) {
			t.Fatalf("seed %d: from %d to %d a member, owners %v", seed, least, most, seen)
		}
		for p, by := range claims {
			if len(by) != 1 || slices.Contains(got[by[0]]["predictions"], p) {
				continue
			}
			if len(got[by[0]]["predictions"]) < n/m {
				t.Fatalf("seed %d: %d is held by %s alone, which has room, and went elsewhere", seed, p, by[0])
			}
		}
	}
}
