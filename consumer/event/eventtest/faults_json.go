package eventtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// onText makes one fault of JSON text for each of the streams.
func onText(kind string, reason event.Reason, streams []event.Stream, change func(r *rand.Rand, text string) string) []fault {
	var faults []fault
	for _, s := range streams {
		faults = append(faults, fault{kind: kind + " (" + s.String() + ", json)", stream: s, reason: reason,
			bytes: func(r *rand.Rand, m proto.Message) (event.Format, []byte) {
				return event.JSON, []byte(change(r, string(Encode(event.JSON, m))))
			}})
	}
	return faults
}

var (
	allStreams     = []event.Stream{event.Predictions, event.Impressions, event.Conversions}
	onlyPrediction = allStreams[:1]
)

// member puts one of the members in front of the record's own, and takes the
// good member of that name out: nothing else is wrong with the record.
func member(kind string, reason event.Reason, streams []event.Stream, members ...string) []fault {
	return onText(kind, reason, streams, func(r *rand.Rand, text string) string {
		m := *pick(r, members)
		return "{" + m + "," + without(text, memberName(m))[1:]
	})
}

// memberName is the lowerCamelCase name of the first member, "" if it has none.
func memberName(m string) string {
	parts := strings.SplitN(m, `"`, 3)
	if len(parts) < 3 {
		return ""
	}
	words := strings.Split(parts[1], "_")
	for i := 1; i < len(words); i++ {
		if words[i] != "" {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
	}
	return strings.Join(words, "")
}

// without removes the member from the object, unless it is the only one.
func without(text, name string) string {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		panic(fmt.Sprintf("eventtest: good record %q: %v", text, err))
	}
	delete(members, name)
	b, err := json.Marshal(members)
	if err != nil || len(members) == 0 {
		panic(fmt.Sprintf("eventtest: nothing left of %q without %q: %v", text, name, err))
	}
	return string(b)
}

func jsonFaults() []fault {
	var all []fault
	add := func(f []fault) { all = append(all, f...) }
	add(onText("truncated", event.ReasonMalformed, allStreams, func(r *rand.Rand, text string) string { return text[:r.IntN(len(text))] }))
	add(member("unknown field", event.ReasonUnknownField, allStreams,
		`"auctionID":"x"`, `"auction-id":"x"`, `"":1`, `"extra":{"deep":[[[{}]]]}`, `"@type":"x"`, `"[rampgauge.v1.x]":1`, `"AUCTION_ID":null`))
	add(member("unknown field in a nested message", event.ReasonUnknownField, onlyPrediction,
		`"candidates":{"itemIDs":[]}`, `"assignments":[{"ramp":1}]`, `"towerCalls":[{"latency":1}]`, `"candidates":{"shadowScores":[{"name":"x"}]}`))
	add(typeFaults())
	add(syntaxFaults())
	add(member("invalid UTF-8", event.ReasonUTF8, allStreams,
		"\"auctionId\":\"\xff\"", "\"auction_id\":\"eight or more \xc3(\"", "\"auctionId\":\"\\n\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\":1"))
	add(member("number beyond its type", event.ReasonMalformed, allStreams,
		`"eventTimeMs":9223372036854775808`, `"eventTimeMs":-9223372036854775809`, `"eventTimeMs":1e19`, `"eventTimeMs":1e2147483648`, `"eventTimeMs":0.5`))
	add(member("number beyond its type in a column", event.ReasonMalformed, onlyPrediction,
		`"candidates":{"predictions":[1e39]}`, `"candidates":{"predictions":["-3.5e38"]}`, `"candidates":{"stageIndex":[4294967296]}`,
		`"candidates":{"stageIndex":[-1]}`, `"candidates":{"itemIds":["18446744073709551616"]}`, `"candidates":{"itemIds":[-1]}`,
		`"unitId":1e-1`, `"sampleWeight":1e999`, `"assignments":[{"rampPercent":1e309}]`, `"towerCalls":[{"outcome":2147483648}]`))
	return all
}

func typeFaults() []fault {
	strings := []string{`5`, `true`, `{}`, `[]`, `["x"]`}
	integers := []string{`"x"`, `""`, `" 1"`, `"1 "`, `true`, `[]`, `{}`, `[1]`, `"1,2"`, `"0x10"`, `"1e"`, `"null"`, `"01"`, `"+1"`}
	members := func(name string, values []string) []string {
		var m []string
		for _, v := range values {
			m = append(m, fmt.Sprintf(`"%s":%s`, name, v))
		}
		return m
	}
	var all []fault
	add := func(f []fault) { all = append(all, f...) }
	add(member("wrong type for a string", event.ReasonMalformed, allStreams, slices.Concat(members("auctionId", strings), members("auction_id", strings))...))
	add(member("wrong type for an integer", event.ReasonMalformed, allStreams, members("eventTimeMs", integers)...))
	add(member("wrong type for a message", event.ReasonMalformed, onlyPrediction,
		`"candidates":[]`, `"candidates":"x"`, `"candidates":1`, `"assignments":{}`, `"assignments":[1]`, `"assignments":[null]`,
		`"assignments":[[]]`, `"dimensions":[]`, `"dimensions":{"a":1}`, `"dimensions":{"a":null}`, `"dimensions":{"a":{}}`, `"towerCalls":"OK"`))
	add(member("wrong type in a column", event.ReasonMalformed, onlyPrediction,
		`"candidates":{"predictions":0.5}`, `"candidates":{"predictions":[null]}`, `"candidates":{"predictions":["x"]}`,
		`"candidates":{"predictions":["nan"]}`, `"candidates":{"predictions":["0.5 "]}`,
		`"candidates":{"predictions":["0.5,0.5"]}`, `"candidates":{"predictions":["0.5x"]}`, `"sampleWeight":""`, `"sampleWeight":"1e"`,
		`"candidates":{"predictions":["inf"]}`, `"candidates":{"predictions":[[0.5]]}`,
		`"candidates":{"itemIds":[1.5]}`, `"candidates":{"itemIds":[true]}`, `"candidates":{"stages":[1]}`, `"candidates":{"stages":[null]}`,
		`"candidates":{"stages":"won"}`, `"candidates":{"stageIndex":{"0":1}}`, `"candidates":{"shadowScores":[[]]}`))
	add(member("wrong type for an enum", event.ReasonMalformed, onlyPrediction,
		`"towerCalls":[{"outcome":"ok"}]`, `"towerCalls":[{"outcome":"1"}]`, `"towerCalls":[{"outcome":1.5}]`, `"towerCalls":[{"outcome":true}]`, `"towerCalls":[{"outcome":[]}]`))
	add(member("wrong type for a bool", event.ReasonMalformed, []event.Stream{event.Conversions},
		`"retracted":"true"`, `"retracted":1`, `"retracted":TRUE`, `"retracted":tru`, `"retracted":truefalse`, `"retracted":trux`, `"retracted":falze`, `"retracted":[]`))
	add(member("member twice", event.ReasonMalformed, allStreams,
		`"auctionId":"x","auction_id":"y"`, `"eventTimeMs":1,"eventTimeMs":1`, `"auctionId":null,"auctionId":"x"`))
	add(member("key of dimensions twice", event.ReasonMalformed, onlyPrediction,
		`"dimensions":{"a":"1","a":"2"}`, `"dimensions":{"a":"1","b":"2","\u0061":"1"}`))
	return all
}

func syntaxFaults() []fault {
	var all []fault
	add := func(f []fault) { all = append(all, f...) }
	add(onText("data behind the record", event.ReasonMalformed, allStreams, func(r *rand.Rand, text string) string {
		return text + *pick(r, []string{"{}", ",", "]", "}", "null", "x", "\x00", `"x"`, "\n" + text})
	}))
	add(onText("not an object", event.ReasonMalformed, allStreams, func(r *rand.Rand, text string) string {
		return *pick(r, []string{"", " ", "null", "[]", "[" + text + "]", `"x"`, "1", "true", "\ufeff" + text, "\x00" + text, "(" + text + ")"})
	}))
	add(onText("comma or brace too many or missing", event.ReasonMalformed, allStreams, func(r *rand.Rand, text string) string {
		return *pick(r, []string{
			text[:len(text)-1] + ",}", text[:len(text)-1], "{," + text[1:], "{" + text, text[1:], text[:len(text)-1] + "]", "{{" + text[1:], "{" + text + "}",
		})
	}))
	add(member("bad escape", event.ReasonMalformed, allStreams,
		`"auctionId":"\x41"`, `"auctionId":"\u12"`, `"auctionId":"\u12g4"`, `"auctionId":"\ud800"`, `"auctionId":"\ud800\u0041"`,
		`"auctionId":"\udc00\ud800"`, `"auctionId":"\ud800\n"`, `"auctionId":"\'"`, `"auctionId":"\U0041"`, `"auction\qId":"x"`))
	add(member("bad string", event.ReasonMalformed, allStreams,
		"\"auctionId\":\"a\nb\"", "\"auctionId\":\"\x00\"", "\"auctionId\":\"eight or more\x1f\"", `"auctionId":'x'`, `auctionId:"x"`, `"auctionId":x`, `"auctionId" "x"`, `"auctionId"`, `"auctionId":`))
	add(member("bad number", event.ReasonMalformed, allStreams,
		`"eventTimeMs":01`, `"eventTimeMs":+1`, `"eventTimeMs":.5`, `"eventTimeMs":1.`, `"eventTimeMs":1e`, `"eventTimeMs":1e+`, `"eventTimeMs":0x1`,
		`"eventTimeMs":-`, `"eventTimeMs":--1`, `"eventTimeMs":1_000`, `"eventTimeMs":NaN`, `"eventTimeMs":Infinity`, `"eventTimeMs":1 2`, `"eventTimeMs":nul`, `"eventTimeMs":nule`, `"eventTimeMs":NULL`))
	add(member("comment", event.ReasonMalformed, allStreams, `/* x */"auctionId":"x"`, "//\n\"auctionId\":\"x\"", `#`))
	return all
}
