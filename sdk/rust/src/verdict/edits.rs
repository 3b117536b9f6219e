//! Edits of heads, and variables.

use super::{Verdict, header};
use crate::bindings::janua::policy::verdicts::{Edit, Variable};
use crate::phase::{BeforeResponse, ResponseHead, WithHead};
use crate::{Kind, Named, Request, Value};

impl<P: Kind> Verdict<P> {
    /// Sets a variable of this policy, at most 1 KiB. An absent value removes it.
    #[must_use]
    pub fn set_variable(self, name: &str, value: impl Into<Value<P>>) -> Self {
        self.edit(Edit::SetVariable(Variable {
            name: name.to_owned(),
            value: value.into().into_parts(),
        }))
    }

    /// An edit that is younger than this version of the contract.
    #[must_use]
    pub fn edit_named(self, edit: Named<P>) -> Self {
        self.edit(Edit::Named(edit.into_contract()))
    }

    fn edit(mut self, edit: Edit) -> Self {
        self.verdict.edits.push(edit);
        self
    }
}

/// Edits of the head of this phase.
impl<P: WithHead> Verdict<P> {
    /// Replaces all lines of the field by one. An absent value removes the field.
    #[must_use]
    pub fn set_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::SetHeader(header))
    }

    /// Adds a line of the field. An absent value does nothing.
    #[must_use]
    pub fn append_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::AppendHeader(header))
    }

    /// Adds the field if there is no line of it.
    #[must_use]
    pub fn default_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit(Edit::DefaultHeader(header))
    }

    /// Removes all lines of the field.
    #[must_use]
    pub fn remove_header(self, name: &str) -> Self {
        self.edit(Edit::RemoveHeader(name.to_owned()))
    }
}

impl<P: ResponseHead> Verdict<P> {
    /// Replaces the status, 200 to 599.
    #[must_use]
    pub fn set_status(self, status: u16) -> Self {
        self.edit(Edit::SetStatus(status))
    }
}

impl Verdict<Request> {
    /// Replaces the path, which is then normalised. Inputs and references other than the
    /// path become one segment of it. The route stays the same.
    #[must_use]
    pub fn set_path(self, path: impl Into<Value<Request>>) -> Self {
        self.edit(Edit::SetPath(path.into().into_parts()))
    }

    /// Replaces the query, without `?`. An absent value removes it.
    #[must_use]
    pub fn set_query(self, query: impl Into<Value<Request>>) -> Self {
        self.edit(Edit::SetQuery(query.into().into_parts()))
    }
}

/// Edits of the response that is finally delivered, whatever its source: also of the reply
/// of this verdict. Their values are computed now, and they are never stored.
impl<P: BeforeResponse> Verdict<P> {
    /// Replaces all lines of the field by one. An absent value removes the field.
    #[must_use]
    pub fn set_response_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit_response(Edit::SetHeader(header))
    }

    /// Adds a line of the field. An absent value does nothing.
    #[must_use]
    pub fn append_response_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit_response(Edit::AppendHeader(header))
    }

    /// Adds the field if there is no line of it.
    #[must_use]
    pub fn default_response_header(self, name: &str, value: impl Into<Value<P>>) -> Self {
        let header = header(name, value.into());
        self.edit_response(Edit::DefaultHeader(header))
    }

    /// Removes all lines of the field.
    #[must_use]
    pub fn remove_response_header(self, name: &str) -> Self {
        self.edit_response(Edit::RemoveHeader(name.to_owned()))
    }

    /// Replaces the status, 200 to 599.
    #[must_use]
    pub fn set_response_status(self, status: u16) -> Self {
        self.edit_response(Edit::SetStatus(status))
    }

    fn edit_response(mut self, edit: Edit) -> Self {
        self.verdict.response_edits.push(edit);
        self
    }
}
