package janua

import (
	"sort"

	"janua/sdk/bindings/janua_policy_effects"
	"janua/sdk/bindings/janua_policy_values"
	"janua/sdk/bindings/janua_policy_verdicts"
)

// Part is one part of a value. A value is absent if it has inputs or references and all of them are
// absent.
type Part = janua_policy_values.Part

// Text is a part with this text.
func Text(text string) Part { return janua_policy_values.MakePartLiteral(text) }

// InputAt is the input at this position of Phase.Inputs, as a part of a value.
func InputAt(position uint32) Part { return janua_policy_values.MakePartInput(position) }

// ReferenceAt is the reference at this position of Phase.References, as a part of a value.
func ReferenceAt(position uint32) Part { return janua_policy_values.MakePartReference(position) }

// Reply is a response that a policy makes. Its body is Text or Bytes, or empty.
type Reply struct {
	Status  uint16
	Headers map[string][]Part
	// Text is sent as `text/plain; charset=utf-8`, unless Headers has another type.
	Text  string
	Bytes []byte
}

// Contract is the reply as the contract has it, for effects.
func (reply Reply) Contract() janua_policy_values.Reply {
	headers := make([]janua_policy_values.Header, 0, len(reply.Headers)+1)
	typed := false
	for name, value := range reply.Headers {
		headers = append(headers, janua_policy_values.Header{Name: name, Value: value})
		typed = typed || name == "content-type"
	}
	// The order of a map differs from call to call, and equal verdicts must be equal.
	sort.Slice(headers, func(a, b int) bool { return headers[a].Name < headers[b].Name })
	body := janua_policy_values.MakeContentEmpty()
	if reply.Bytes != nil {
		body = janua_policy_values.MakeContentBytes(reply.Bytes)
	} else if reply.Text != "" {
		body = janua_policy_values.MakeContentText(reply.Text)
		if !typed {
			plain := []Part{Text("text/plain; charset=utf-8")}
			headers = append(headers, janua_policy_values.Header{Name: "content-type", Value: plain})
		}
	}
	return janua_policy_values.Reply{Status: reply.Status, Headers: headers, Body: body}
}

// Verdict is what a policy decides. It is reused only after UntilReload, ForSeconds or Until.
type Verdict struct {
	contract janua_policy_verdicts.Verdict
}

func verdict(outcome janua_policy_verdicts.Outcome) *Verdict {
	return &Verdict{janua_policy_verdicts.Verdict{
		Outcome: outcome,
		Reuse:   janua_policy_verdicts.MakeReuseNever(),
	}}
}

// Proceed continues the exchange.
func Proceed() *Verdict {
	return verdict(janua_policy_verdicts.MakeOutcomeProceed())
}

// Respond ends the request with this reply. In the phases `fetched` and `response` it replaces the
// response.
func Respond(reply Reply) *Verdict {
	return verdict(janua_policy_verdicts.MakeOutcomeRespond(reply.Contract()))
}

// Serve serves this path of the same target instead. Phase `missing` only.
func Serve(path ...Part) *Verdict {
	return verdict(janua_policy_verdicts.MakeOutcomeServe(path))
}

// SetHeader replaces all lines of the field by one. An absent value removes the field.
func SetHeader(name string, value ...Part) janua_policy_verdicts.Edit {
	return janua_policy_verdicts.MakeEditSetHeader(janua_policy_values.Header{Name: name, Value: value})
}

// AppendHeader adds a line of the field.
func AppendHeader(name string, value ...Part) janua_policy_verdicts.Edit {
	return janua_policy_verdicts.MakeEditAppendHeader(janua_policy_values.Header{Name: name, Value: value})
}

// DefaultHeader adds the field if there is no line of it.
func DefaultHeader(name string, value ...Part) janua_policy_verdicts.Edit {
	return janua_policy_verdicts.MakeEditDefaultHeader(janua_policy_values.Header{Name: name, Value: value})
}

// RemoveHeader removes all lines of the field.
func RemoveHeader(name string) janua_policy_verdicts.Edit {
	return janua_policy_verdicts.MakeEditRemoveHeader(name)
}

// SetVariable sets a variable of this policy. An absent value removes it.
func SetVariable(name string, value ...Part) janua_policy_verdicts.Edit {
	return janua_policy_verdicts.MakeEditSetVariable(janua_policy_verdicts.Variable{Name: name, Value: value})
}

// Edit changes the head of this phase, or variables. There are more edits in the package
// bindings/janua_policy_verdicts.
func (verdict *Verdict) Edit(edits ...janua_policy_verdicts.Edit) *Verdict {
	verdict.contract.Edits = append(verdict.contract.Edits, edits...)
	return verdict
}

// ResponseEdit changes the response that is finally delivered, whatever its source. Phases
// `request` and `missing`.
func (verdict *Verdict) ResponseEdit(edits ...janua_policy_verdicts.Edit) *Verdict {
	verdict.contract.ResponseEdits = append(verdict.contract.ResponseEdits, edits...)
	return verdict
}

// Effect adds actions of the gateway, of the package bindings/janua_policy_effects.
func (verdict *Verdict) Effect(effects ...janua_policy_effects.Effect) *Verdict {
	verdict.contract.Effects = append(verdict.contract.Effects, effects...)
	return verdict
}

// UntilReload allows reuse for the same inputs until the configuration changes.
func (verdict *Verdict) UntilReload() *Verdict {
	verdict.contract.Reuse = janua_policy_verdicts.MakeReuseUntilReload()
	return verdict
}

// ForSeconds allows reuse for the same inputs for this many seconds.
func (verdict *Verdict) ForSeconds(seconds uint32) *Verdict {
	verdict.contract.Reuse = janua_policy_verdicts.MakeReuseSeconds(seconds)
	return verdict
}

// Until allows reuse for the same inputs until this moment, in Unix seconds.
func (verdict *Verdict) Until(seconds uint64) *Verdict {
	verdict.contract.Reuse = janua_policy_verdicts.MakeReuseUntil(seconds)
	return verdict
}

// Annotate writes a word to the access log for every request, even if the verdict is reused.
func (verdict *Verdict) Annotate(name string, value ...Part) *Verdict {
	annotation := janua_policy_verdicts.Annotation{Name: name, Value: value}
	verdict.contract.Annotations = append(verdict.contract.Annotations, annotation)
	return verdict
}

// Note is an annotation with the name `note`.
func (verdict *Verdict) Note(note string) *Verdict {
	return verdict.Annotate("note", Text(note))
}
