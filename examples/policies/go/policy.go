// The example policy `tenant`: accepts known tenants and tells the upstream their tier.
// It also exists in Rust, JavaScript, Python and C.
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"janua/sdk"
	_ "janua/sdk/bindings/wit_exports"
	"janua/sdk/input"
	"janua/sdk/may"
)

func init() {
	janua.Export(janua.Description{
		Name:    "tenant",
		Version: "0.1.0",
		Summary: "Accepts known tenants and tells the upstream their tier",
	}, configure)
}

// A component has no main function, but the compiler wants one.
func main() {}

func configure(config string) (*janua.Policy, error) {
	tiers, err := read(config)
	if err != nil {
		return nil, err
	}
	return &janua.Policy{Phases: []janua.Phase{{
		Name:   janua.Request,
		Inputs: []input.Input{input.Header("x-tenant")},
		May:    []string{may.Respond, may.EditHeader("x-tenant-tier")},
		Decide: func(inputs janua.Inputs) (*janua.Verdict, error) {
			tenant, present := inputs.Get(0)
			if !present {
				return refused("tenant:missing"), nil
			}
			tier, known := tiers[tenant]
			if !known {
				return refused("tenant:unknown"), nil
			}
			edit := janua.SetHeader("x-tenant-tier", janua.Text(tier))
			return janua.Proceed().Edit(edit).UntilReload(), nil
		},
	}}}, nil
}

func refused(note string) *janua.Verdict {
	reply := janua.Reply{Status: 403, Text: "Unknown tenant\n"}
	return janua.Respond(reply).Note(note).UntilReload()
}

// Refuses the same configurations as the other languages, with the same messages.
func read(config string) (map[string]string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(config), &fields); err != nil {
		return nil, err
	}
	for name := range fields {
		if name != "tiers" {
			return nil, fmt.Errorf("unknown field `%s`; there are tiers", name)
		}
	}
	document, given := fields["tiers"]
	if !given {
		return nil, errors.New("missing field `tiers`")
	}
	var values map[string]any
	if json.Unmarshal(document, &values) != nil || values == nil {
		return nil, errors.New("`tiers`: expected a table")
	}
	tiers := make(map[string]string, len(values))
	for tenant, value := range values {
		tier, isText := value.(string)
		if !isText {
			return nil, fmt.Errorf("`tiers.%s`: expected a string", tenant)
		}
		tiers[tenant] = tier
	}
	if len(tiers) == 0 {
		return nil, errors.New("`tiers`: name at least one tenant")
	}
	return tiers, nil
}
