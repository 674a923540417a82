package archtest

import "regexp"

// module is the path that imports of our own packages begin with.
const module = "github.com/rampgauge/rampgauge"

// imports is what a package may import of the module.
type imports struct {
	code  []string // by all files
	tests []string // by _test.go files besides
}

// allowedImports has every package of the module. Data runs one way, from
// consumer to the page, and internal/app alone wires it: what is missing in a
// row is missing on purpose.
var allowedImports = map[string]imports{
	// Leaves: they import nothing of the module.
	"consumer/event":         {tests: []string{"consumer/event/eventpb", "consumer/event/eventtest"}},
	"consumer/event/eventpb": {},
	"internal/fixed":         {},
	"internal/stats":         {},
	"internal/kafkatest":     {},
	"internal/checkpoint":    {tests: []string{"internal/checkpoint/checkpointtest"}},

	// The way of the data. consumer knows no aggregator, and neither knows the
	// join: they meet in internal/partition.
	"consumer":                {code: []string{"consumer/event"}, tests: []string{"internal/kafkatest"}},
	"consumer/join":           {code: []string{"consumer/event"}},
	"alerts":                  {code: []string{"internal/stats"}, tests: []string{"alerts/alertstest"}},
	"alerts/alertstest":       {code: []string{"alerts"}},
	"alerts/rehearse":         {code: []string{"alerts"}},
	"alerts/diagnosis":        {code: []string{"alerts", "internal/stats"}},
	"aggregator":              {code: []string{"consumer/event", "internal/fixed", "internal/stats"}},
	"internal/partition":      {code: []string{"aggregator", "consumer", "consumer/event", "consumer/join"}, tests: []string{"internal/simulate"}},
	"internal/durable":        {code: []string{"consumer/join", "internal/partition"}},
	"internal/alertlog":       {code: []string{"aggregator", "consumer"}, tests: []string{"internal/kafkatest"}},
	"internal/watch":          {code: []string{"aggregator", "alerts", "internal/alertlog", "internal/stats"}, tests: []string{"consumer/event"}},
	"internal/panes":          {code: []string{"aggregator", "consumer"}, tests: []string{"consumer/event", "internal/kafkatest"}},
	"internal/telemetry":      {code: []string{"consumer/event"}},
	"internal/api":            {code: []string{"aggregator", "alerts", "alerts/diagnosis", "consumer/event", "internal/api/exposition", "internal/api/page", "internal/stats", "internal/telemetry"}, tests: []string{"internal/api/apitest"}},
	"internal/api/exposition": {code: []string{"aggregator", "alerts", "consumer/event", "internal/stats", "internal/telemetry"}, tests: []string{"internal/api/apitest"}},
	"internal/api/page":       {code: []string{"aggregator", "consumer/event", "internal/stats", "internal/telemetry"}, tests: []string{"internal/api/apitest"}},

	// Telling people. deliver knows receivers by its own interface only.
	"alerts/deliver": {
		code:  []string{"alerts", "alerts/receiver"},
		tests: []string{"alerts/receiver/alertmanager", "alerts/receiver/pagerduty", "alerts/receiver/pagerduty/pagerdutytest"},
	},
	"alerts/receiver":              {code: []string{"alerts"}},
	"alerts/receiver/alertmanager": {code: []string{"alerts", "alerts/receiver"}, tests: []string{"alerts/deliver"}},
	"alerts/receiver/pagerduty":    {code: []string{"alerts", "alerts/receiver"}, tests: []string{"alerts/receiver/pagerduty/pagerdutytest"}},
	"alerts/receiver/slack":        {code: []string{"alerts", "alerts/receiver"}},
	"alerts/receiver/webhook":      {code: []string{"alerts", "alerts/receiver"}},

	// Around it.
	"dashboards":         {code: []string{"alerts", "internal/api/exposition"}},
	"internal/config":    {code: []string{"alerts", "alerts/diagnosis", "alerts/rehearse", "consumer/event"}},
	"internal/eventfile": {code: []string{"consumer", "consumer/event", "consumer/event/eventpb", "internal/config"}, tests: []string{"internal/kafkatest"}},
	"internal/simulate":  {code: []string{"consumer/event", "consumer/event/eventpb"}, tests: []string{"internal/recount"}},

	// The only ones that wire.
	"internal/app": {
		code: []string{
			"aggregator", "alerts", "alerts/deliver", "alerts/diagnosis", "alerts/receiver", "alerts/receiver/alertmanager", "alerts/receiver/pagerduty",
			"alerts/receiver/slack", "alerts/receiver/webhook", "consumer", "consumer/event", "consumer/join", "internal/alertlog", "internal/api", "internal/checkpoint", "internal/config", "internal/durable",
			"internal/eventfile", "internal/kafkatest", "internal/panes", "internal/partition", "internal/simulate", "internal/telemetry", "internal/watch",
		},
	},
	"cmd/rampgauge": {
		code:  []string{"alerts/rehearse", "consumer/event", "dashboards", "internal/app", "internal/config", "internal/eventfile"},
		tests: []string{"internal/kafkatest"},
	},

	// Tools and tests, which no package of the product imports.
	"consumer/event/eventtest":                {code: []string{"consumer/event", "consumer/event/eventpb"}},
	"internal/archtest":                       {},
	"alerts/receiver/pagerduty/pagerdutytest": {},
	"internal/checkpoint/checkpointtest":      {code: []string{"internal/checkpoint"}},
	"internal/chaos":                          {code: []string{"consumer/event", "internal/kafkatest", "internal/live", "internal/simulate"}},
	"internal/docgen":                         {code: []string{"dashboards", "internal/api/exposition", "internal/config"}},
	"internal/e2e": {tests: []string{
		"aggregator", "consumer", "consumer/event", "consumer/event/eventpb", "consumer/event/eventtest", "consumer/join",
		"internal/api", "internal/app", "internal/config", "internal/durable", "internal/eventfile", "internal/kafkatest", "internal/panes", "internal/partition",
		"internal/recount", "internal/recount/worlds", "internal/simulate", "internal/telemetry",
	}},
	"internal/api/apitest": {code: []string{"aggregator", "consumer/event", "internal/telemetry"}},
	"internal/faultsim": {code: []string{
		"aggregator", "consumer", "consumer/event", "consumer/event/eventpb", "consumer/join", "internal/checkpoint",
		"internal/checkpoint/checkpointtest", "internal/durable", "internal/partition", "internal/recount/worlds",
	}},
	"internal/faultsim/run": {code: []string{"internal/faultsim"}},
	"internal/live":         {code: []string{"consumer/event", "internal/config", "internal/simulate"}},
	"internal/loadbench":    {code: []string{"consumer", "consumer/event", "internal/kafkatest", "internal/live", "internal/simulate"}},
	"internal/oracle":       {code: []string{"internal/stats"}},
	"internal/oracle/draw":  {code: []string{"internal/oracle"}},
	"internal/recount":      {code: []string{"consumer/event/eventpb"}},
	"internal/recount/worlds": {code: []string{
		"aggregator", "consumer/event", "consumer/event/eventpb", "consumer/join", "internal/recount", "internal/stats",
	}},
	"internal/alertstudy":     {code: []string{"alerts", "alerts/alertstest", "internal/stats"}},
	"internal/alertstudy/run": {code: []string{"internal/alertstudy"}},
	"internal/study":          {code: []string{"internal/stats"}},
	"internal/study/run":      {code: []string{"internal/study"}},
}

// onlyFor names the packages that may import a module of somebody else's, by
// the beginning of its path; tests may import what they like.
var onlyFor = map[string][]string{
	"github.com/PagerDuty/":            {"alerts/receiver/pagerduty"},
	"github.com/alecthomas/kong":       {"cmd/rampgauge"},
	"github.com/goccy/go-yaml":         {"internal/config"},
	"go.yaml.in/yaml":                  {"internal/config"},
	"github.com/segmentio/kafka-go":    {"consumer"},
	"github.com/twmb/franz-go":         {"internal/app", "internal/chaos", "internal/eventfile", "internal/kafkatest", "internal/live", "internal/loadbench"},
	"google.golang.org/protobuf":       {"consumer/event/eventpb", "consumer/event/eventtest", "internal/app", "internal/eventfile", "internal/faultsim", "internal/recount", "internal/recount/worlds", "internal/simulate"},
	"github.com/schollz/progressbar":   {"cmd/rampgauge"},
	"github.com/prometheus/":           {"cmd/rampgauge", "internal/api", "internal/api/exposition"},
	"github.com/VictoriaMetrics/":      {"internal/api", "internal/api/exposition", "internal/telemetry"},
	"gocloud.dev":                      {"internal/checkpoint"},
	"github.com/cockroachdb/pebble/v2": {"internal/checkpoint", "internal/durable", "internal/faultsim"},
	"github.com/aws/":                  {},
	"testing":                          {},
	"github.com/google/go-cmp":         {},
	"log":                              {}, // a global logger
}

// maxLines is how long a file may be. One that is longer asks for a reason.
const maxLines = 400

// longFiles are the exceptions, each with its reason.
var longFiles = map[string]string{}

// forbiddenNames are names of packages that say nothing about what is inside.
var forbiddenNames = []string{"util", "utils", "common", "helper", "helpers", "types", "models", "misc", "shared"}

// forbiddenText is what no file of ours holds, by what it is.
var forbiddenText = map[string]*regexp.Regexp{
	"the host of a package registry": regexp.MustCompile(`\b(proxy|sum)\.golang\.org\b|\bregistry\.npmjs\.org\b|\bpypi\.org\b|\bpythonhosted\.org\b|` +
		`\brepo1?\.maven\.(org|apache\.org)\b|\bdeb\.debian\.org\b|\b(registry-1|index)\.docker\.io\b`),
	"a path of one machine": regexp.MustCompile(`(^|[^\w.$}/-])/(work|root|home|Users|tmp)/`),
}

// skippedDirs hold nothing of ours, by name.
var skippedDirs = []string{".git", ".tools", "node_modules"}
