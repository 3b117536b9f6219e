// Package janua helps to write a Janua policy in Go.
//
// A policy declares its inputs (package input) and what its verdicts may do (package may), and returns a verdict from their
// values. Every type of the contract is also available as it was generated, in the packages of
// janua/sdk/bindings; Verdict.Edit and Verdict.Effect take all of theirs.
package janua

import (
	"fmt"

	"janua/sdk/bindings/janua_policy_subscriptions"
	"janua/sdk/bindings/janua_policy_values"
	"janua/sdk/bindings/janua_policy_verdicts"
	"janua/sdk/input"
	"janua/sdk/wit/types"
)

// Description describes a component.
type Description struct {
	Name, Version, Summary string
	// ConfigSchema is the JSON Schema of the configuration, or empty.
	ConfigSchema string
}

// Policy is a configured policy: what it takes part in and may do.
type Policy struct {
	Phases []Phase
	// Owns are the request fields that only this policy may state. A name may end in `*`.
	Owns []string
	// Variables are the names of those that its verdicts may set.
	Variables []string
	// Uses are the secrets, datasets and upstreams that it calls by name: see the
	// package may.

	Uses []string
	// More are declarations that are younger than this SDK.
	More []janua_policy_values.NamedConstant
}

// The phases of an exchange.
const (
	Request  = "request"
	Fetched  = "fetched"
	Missing  = "missing"
	Response = "response"
	Finished = "finished"
)

// Phase is what a policy is told in one phase, and what its verdicts may do there.
type Phase struct {
	// Name is Request, Fetched, Missing, Response or Finished.
	Name string
	// Inputs are passed to Decide in this order, and are the key under which a verdict is reused.
	Inputs []input.Input
	// References are only used in values.
	References []input.Input
	// Sensitive are the positions of inputs that are secrets.
	Sensitive []uint32
	// May is all that a verdict of this phase may do: see the package may.
	May []string
	// Decide returns the verdict. An error is a failure of the policy: its `on_error` decides
	// how the request continues.
	Decide func(Inputs) (*Verdict, error)
}

// Inputs are the values of Phase.Inputs, in their order.
type Inputs []wit_types.Option[string]

// Get returns an input, and whether it is present.
func (inputs Inputs) Get(position int) (string, bool) {
	input := inputs[position]
	return input.SomeOr(""), input.IsSome()
}

var exported struct {
	description Description
	configure   func(config string) (*Policy, error)
}

// Export makes a component of a policy. Call it from init. The configuration is one JSON document;
// the operator gets the message of an error.
func Export(description Description, configure func(config string) (*Policy, error)) {
	exported.description = description
	exported.configure = configure
}

// Describe is called by the bindings.
func Describe() janua_policy_subscriptions.Description {
	description := exported.description
	schema := wit_types.None[string]()
	if description.ConfigSchema != "" {
		schema = wit_types.Some(description.ConfigSchema)
	}
	return janua_policy_subscriptions.Description{
		Name:         description.Name,
		Version:      description.Version,
		Summary:      description.Summary,
		ConfigSchema: schema,
	}
}

// Configure is called by the bindings. A panic would end the instance, so it becomes an error.
func Configure(config string) (policy *Policy, err error) {
	defer recovered(&err)
	policy, err = exported.configure(config)
	if err != nil {
		return nil, err
	}
	for _, phase := range policy.Phases {
		if phase.Decide == nil {
			return nil, fmt.Errorf("the phase %s has no Decide", phase.Name)
		}
	}
	return policy, nil
}

// Subscription is called by the bindings.
func (policy *Policy) Subscription() janua_policy_subscriptions.Subscription {
	phases := make([]janua_policy_subscriptions.Phase, len(policy.Phases))
	for place, phase := range policy.Phases {
		phases[place] = janua_policy_subscriptions.Phase{
			Name:       phase.Name,
			Inputs:     phase.Inputs,
			References: phase.References,
			Sensitive:  phase.Sensitive,
			May:        phase.May,
		}
	}
	return janua_policy_subscriptions.Subscription{
		Phases:    phases,
		Owns:      policy.Owns,
		Variables: policy.Variables,
		Uses:      policy.Uses,
		More:      policy.More,
	}
}

// Decide is called by the bindings.
func (policy *Policy) Decide(phase uint32, inputs []wit_types.Option[string]) (verdict janua_policy_verdicts.Verdict, err error) {
	defer recovered(&err)
	decided, err := policy.Phases[phase].Decide(inputs)
	if err != nil {
		return verdict, err
	}
	if decided == nil {
		return verdict, fmt.Errorf("Decide of the phase %s returned no verdict", policy.Phases[phase].Name)
	}
	return decided.contract, nil
}

func recovered(err *error) {
	if reason := recover(); reason != nil {
		*err = fmt.Errorf("panic: %v", reason)
	}
}
