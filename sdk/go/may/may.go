// Package may has the words in which a policy declares what it may do. The operator's grants are
// the same words.
package may

// For Phase.May: what a verdict of the phase may do.
const (
	Respond   = "respond"
	Serve     = "serve"
	SetPath   = "edit:set-path"
	SetQuery  = "edit:set-query"
	SetStatus = "edit:set-status"
)

// EditHeader is a word for Phase.May. The name may end in `*`.
func EditHeader(name string) string { return "edit:header:" + name }

// EditResponseHeader is a word for Phase.May. The name may end in `*`.
func EditResponseHeader(name string) string { return "edit:response-header:" + name }

// Effect is a word for Phase.May, for example Effect("take").
func Effect(name string) string { return "effect:" + name }

// Secret is a word for Policy.Uses.
func Secret(name string) string { return "secret:" + name }

// Dataset is a word for Policy.Uses.
func Dataset(name string) string { return "dataset:" + name }

// Outbound is a word for Policy.Uses: to send requests to this upstream.
func Outbound(upstream string) string { return "outbound:" + upstream }

// Upstream is a word for Policy.Uses: to choose this upstream.
func Upstream(name string) string { return "upstream:" + name }
