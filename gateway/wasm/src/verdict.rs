//! A checked verdict, which the proxy carries out. Independent of the contract's
//! version. Only `convert` creates one, so every index, name and literal in it has
//! been checked.

mod effect;

pub use effect::{
    AbsentKey, CacheLookup, CacheRule, Charge, Concurrency, Cost, DeclaredUpstream, Effect,
    ParameterName, Purge, PurgeScope, QueryKey, Share, Split, Storage, Take, TokenBucket,
};

/// What a policy decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Whether the exchange continues.
    pub outcome: Outcome,
    /// Changes to the head of the phase and to variables, applied in order.
    pub edits: Box<[Edit]>,
    /// Changes to the response that is delivered in the end. Phases `request` and
    /// `missing`.
    pub response_edits: Box<[Edit]>,
    /// Actions of the gateway, carried out after the edits, in order.
    pub effects: Box<[Effect]>,
    /// Words for the access log, written whenever the verdict is used.
    pub annotations: Box<[Annotation]>,
}

/// A word for the access log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Annotation {
    /// Its name: lower-case letters, digits, `-`, `_` and `.`.
    pub name: Box<str>,
    /// Its value, which contains no secret.
    pub value: Value,
}

impl Verdict {
    /// The verdict that changes nothing.
    pub fn proceed() -> Self {
        Self {
            outcome: Outcome::Proceed,
            edits: Box::default(),
            response_edits: Box::default(),
            effects: Box::default(),
            annotations: Box::default(),
        }
    }

    /// Visits all values in order: those of the edits, of the response's edits, of the
    /// annotations, of the effects, then of the outcome. The proxy renders them before it
    /// carries out the first edit, and finds a rendered value by its index in this order.
    pub fn for_each_value(&self, mut visit: impl FnMut(Destination, &Value)) {
        for edit in self.edits.iter().chain(&self.response_edits) {
            if let Some(value) = edit.value() {
                visit(edit.destination(), value);
            }
        }
        for annotation in &self.annotations {
            visit(Destination::Text, &annotation.value);
        }
        for effect in &self.effects {
            effect.for_each_value(&mut visit);
        }
        match &self.outcome {
            Outcome::Proceed => {}
            Outcome::Respond(reply) => reply
                .values()
                .for_each(|value| visit(Destination::Text, value)),
            Outcome::Serve(path) => visit(Destination::Path, path),
        }
    }

    /// The effects, each with the index of its first value.
    pub fn indexed_effects(&self) -> impl Iterator<Item = (usize, &Effect)> {
        self.effects
            .iter()
            .scan(self.before_effects(), |next, effect| {
                let index = *next;
                *next += effect.value_count();
                Some((index, effect))
            })
    }

    /// The index of the outcome's first value.
    pub fn outcome_value_index(&self) -> usize {
        let effects: usize = self.effects.iter().map(Effect::value_count).sum();
        self.before_effects() + effects
    }

    /// The index of the first value of the response's edits.
    pub fn response_edits_value_index(&self) -> usize {
        count_values(&self.edits)
    }

    /// The index of the first annotation's value.
    pub fn annotations_value_index(&self) -> usize {
        count_values(&self.edits) + count_values(&self.response_edits)
    }

    fn before_effects(&self) -> usize {
        self.annotations_value_index() + self.annotations.len()
    }
}

/// How the exchange continues.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It continues.
    Proceed,
    /// In the phases `request` and `missing`, this is the response. In `fetched` and
    /// `response` it replaces the response.
    Respond(Reply),
    /// Serves this path of the same target instead. Phase `missing` only.
    Serve(Value),
}

/// A response made by a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    /// 200 to 599.
    pub status: u16,
    /// Field names in lower case, and values. A field whose value is absent is left out.
    pub headers: Box<[(Box<str>, Value)]>,
    /// At most 256 KiB.
    pub body: Box<[u8]>,
}

/// A change to the head. Field names are tokens in lower case, and never those of
/// fields that only the gateway sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Edit {
    /// Replaces all lines of the field by one. An absent value removes the field.
    SetHeader {
        /// The field.
        name: Box<str>,
        /// Its value.
        value: Value,
    },
    /// Adds a line of the field. An absent value does nothing.
    AppendHeader {
        /// The field.
        name: Box<str>,
        /// Its value.
        value: Value,
    },
    /// Adds the field if there is no line of it.
    DefaultHeader {
        /// The field.
        name: Box<str>,
        /// Its value.
        value: Value,
    },
    /// Removes all lines of the field.
    RemoveHeader(Box<str>),
    /// Replaces the path. Phase `request` only.
    SetPath(Value),
    /// Replaces the query. An absent value removes it. Phase `request` only.
    SetQuery(Value),
    /// Replaces the status, 200 to 599. Not in the phase `request`.
    SetStatus(u16),
    /// Sets a variable of the policy. An absent value removes it.
    SetVariable {
        /// Its name, without that of the policy.
        name: Box<str>,
        /// Its value.
        value: Value,
        /// The value contains a secret and is not logged.
        is_secret: bool,
    },
}

fn count_values(edits: &[Edit]) -> usize {
    edits.iter().filter_map(Edit::value).count()
}

/// What a value becomes, which decides how the inputs and references in it are written:
/// in a path or a query they are data, and none of their characters may have a meaning there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The value of a field, a key, a tag: as they are.
    Text,
    /// A path, in which each is one segment or a part of one, but for those that are paths.
    Path,
    /// A query, in which each is the value of one parameter, but for those that are queries.
    Query,
    /// A path, and behind the first `?` of a literal a query.
    Url,
}

/// A value: a literal, or parts that depend on the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// These bytes. A value without inputs and references always has this form.
    Literal(Box<[u8]>),
    /// The concatenation of the parts, at least one of which is an input or a
    /// reference. The value is absent if all inputs and references in it are absent;
    /// otherwise an absent one is empty.
    Parts(Box<[Part]>),
}

/// A part of a value. Positions refer to the plan of the verdict's phase.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// These bytes.
    Literal(Box<[u8]>),
    /// The input at this position.
    Input(u16),
    /// The reference at this position.
    Reference(u16),
}

impl Verdict {
    /// Its approximate size on the heap in bytes, for budgets.
    pub(crate) fn heap_bytes(&self) -> usize {
        let outcome = match &self.outcome {
            Outcome::Proceed => 0,
            Outcome::Respond(reply) => reply.heap_bytes(),
            Outcome::Serve(path) => path.heap_bytes(),
        };
        let edits: usize = self
            .edits
            .iter()
            .chain(&self.response_edits)
            .map(|edit| size_of::<Edit>() + edit.heap_bytes())
            .sum();
        let effects: usize = self
            .effects
            .iter()
            .map(|effect| size_of::<Effect>() + effect.heap_bytes())
            .sum();
        let annotations: usize = self
            .annotations
            .iter()
            .map(|it| size_of::<Annotation>() + it.name.len() + it.value.heap_bytes())
            .sum();
        size_of::<Self>() + outcome + edits + effects + annotations
    }
}

impl Reply {
    /// The values of its fields, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.headers.iter().map(|(_, value)| value)
    }

    fn heap_bytes(&self) -> usize {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| size_of::<(Box<str>, Value)>() + name.len() + value.heap_bytes())
            .sum();
        headers + self.body.len()
    }
}

impl Edit {
    /// The value that it writes. `None` if it removes a field or sets the status.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::SetHeader { value, .. }
            | Self::AppendHeader { value, .. }
            | Self::DefaultHeader { value, .. }
            | Self::SetVariable { value, .. }
            | Self::SetPath(value)
            | Self::SetQuery(value) => Some(value),
            Self::RemoveHeader(_) | Self::SetStatus(_) => None,
        }
    }

    fn destination(&self) -> Destination {
        match self {
            Self::SetPath(_) => Destination::Path,
            Self::SetQuery(_) => Destination::Query,
            _ => Destination::Text,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::SetHeader { name, value }
            | Self::AppendHeader { name, value }
            | Self::DefaultHeader { name, value }
            | Self::SetVariable { name, value, .. } => name.len() + value.heap_bytes(),
            Self::RemoveHeader(name) => name.len(),
            Self::SetPath(value) | Self::SetQuery(value) => value.heap_bytes(),
            Self::SetStatus(_) => 0,
        }
    }
}

impl Value {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::Parts(parts) => parts
                .iter()
                .map(|part| {
                    size_of::<Part>()
                        + match part {
                            Part::Literal(bytes) => bytes.len(),
                            Part::Input(_) | Part::Reference(_) => 0,
                        }
                })
                .sum(),
        }
    }
}
