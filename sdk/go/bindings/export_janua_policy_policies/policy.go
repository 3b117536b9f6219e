// Package export_janua_policy_policies is what the generated bindings call. It passes each call on
// to the policy that the author gave to janua.Export.
package export_janua_policy_policies

import (
	"runtime"

	"janua/sdk"
	"janua/sdk/bindings/janua_policy_subscriptions"
	"janua/sdk/bindings/janua_policy_verdicts"
	"janua/sdk/wit/types"
)

// Policy is a configured policy. The bindings need its fields, and keep it alive until the gateway
// drops it.
type Policy struct {
	pinner runtime.Pinner
	handle int32
	policy *janua.Policy
}

// Describe describes the component.
func Describe() janua_policy_subscriptions.Description {
	return janua.Describe()
}

// PolicyConfigure reads a configuration.
func PolicyConfigure(config string) wit_types.Result[*Policy, string] {
	policy, err := janua.Configure(config)
	if err != nil {
		return wit_types.Err[*Policy, string](err.Error())
	}
	return wit_types.Ok[*Policy, string](&Policy{policy: policy})
}

// Subscription is what the policy takes part in and may do.
func (self *Policy) Subscription() janua_policy_subscriptions.Subscription {
	return self.policy.Subscription()
}

// Decide decides in a phase.
func (self *Policy) Decide(phase uint32, inputs []wit_types.Option[string]) wit_types.Result[janua_policy_verdicts.Verdict, string] {
	verdict, err := self.policy.Decide(phase, inputs)
	if err != nil {
		return wit_types.Err[janua_policy_verdicts.Verdict, string](err.Error())
	}
	return wit_types.Ok[janua_policy_verdicts.Verdict, string](verdict)
}

// OnDrop is called when the gateway has dropped the policy.
func (self *Policy) OnDrop() {}
