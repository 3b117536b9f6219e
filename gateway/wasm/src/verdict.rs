//! A checked verdict: what the proxy carries out. Independent of the
//! contract's version; made only by `convert`, so that every index, name and
//! literal in it has been checked.

mod effect;

pub use effect::{
    AbsentKey, CacheLookup, CacheRule, Effect, ParameterName, Purge, PurgeScope, QueryKey, Storage,
    Take,
};

/// What a policy decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Go on, or answer.
    pub outcome: Outcome,
    /// Changes to the head, in order.
    pub edits: Box<[Edit]>,
    /// Things to do after the edits, in order.
    pub effects: Box<[Effect]>,
    /// A short word for the access log, said each time.
    pub note: Option<Box<str>>,
}

impl Verdict {
    /// Goes on and changes nothing.
    pub fn proceed() -> Self {
        Self {
            outcome: Outcome::Proceed,
            edits: Box::default(),
            effects: Box::default(),
            note: None,
        }
    }

    /// Visits its values: those of the edits, of the effects, of the outcome,
    /// each in order. A value's place in this order is how the proxy finds what
    /// it worked out before it carried out the first edit.
    pub fn for_each_value(&self, mut visit: impl FnMut(&Value)) {
        self.edits
            .iter()
            .filter_map(Edit::value)
            .for_each(&mut visit);
        for effect in &self.effects {
            effect.for_each_value(&mut visit);
        }
        match &self.outcome {
            Outcome::Proceed => {}
            Outcome::Respond(reply) => reply.values().for_each(visit),
            Outcome::Serve(path) => visit(path),
        }
    }

    /// The effects, each with the place of its first value.
    pub fn indexed_effects(&self) -> impl Iterator<Item = (usize, &Effect)> {
        let edits = self.edits.iter().filter_map(Edit::value).count();
        self.effects.iter().scan(edits, |next, effect| {
            let place = *next;
            *next += effect.value_count();
            Some((place, effect))
        })
    }

    /// The place of the outcome's first value.
    pub fn outcome_value_index(&self) -> usize {
        let edits = self.edits.iter().filter_map(Edit::value).count();
        let effects: usize = self.effects.iter().map(Effect::value_count).sum();
        edits + effects
    }
}

/// What becomes of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Goes on.
    Proceed,
    /// Phases `request` and `missing`: ends here with this response. In
    /// `fetched` and `response`: replaces the response.
    Respond(Reply),
    /// Phase `missing` only: serve this path of the same target instead.
    Serve(Value),
}

/// A response that a policy makes itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    /// 200 to 599.
    pub status: u16,
    /// Its fields, named in lower case. An absent value leaves its field out.
    pub headers: Box<[(Box<str>, Value)]>,
    /// Its body, at most 256 KiB.
    pub body: Box<[u8]>,
}

/// A change to the head. Names are tokens in lower case, none of them a field
/// that the gateway owns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Edit {
    /// Replaces every line by one; an absent value removes the field.
    SetHeader {
        /// The field.
        name: Box<str>,
        /// Its value.
        value: Value,
    },
    /// Adds a line; an absent value does nothing.
    AppendHeader {
        /// The field.
        name: Box<str>,
        /// Its value.
        value: Value,
    },
    /// Adds a line if there is none.
    DefaultHeader {
        /// The field.
        name: Box<str>,
        /// Its value.
        value: Value,
    },
    /// Removes every line.
    RemoveHeader(Box<str>),
    /// Replaces the path. Request only.
    SetPath(Value),
    /// Replaces the query; absent removes it. Request only.
    SetQuery(Value),
    /// Replaces the status, 200 to 599. In the phases that have a response.
    SetStatus(u16),
}

/// A value, in parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// These bytes. The only form of a value that points at nothing.
    Literal(Box<[u8]>),
    /// The parts one after another; at least one points at something. Absent
    /// if everything that it points at is absent, else an absent part is empty.
    Parts(Box<[Part]>),
}

/// One piece of a value. Positions are valid for the plan of the phase that
/// the verdict was given in.
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
    /// Roughly the bytes that it holds on the heap, for budgets.
    pub(crate) fn heap_bytes(&self) -> usize {
        let outcome = match &self.outcome {
            Outcome::Proceed => 0,
            Outcome::Respond(reply) => reply.heap_bytes(),
            Outcome::Serve(path) => path.heap_bytes(),
        };
        let edits: usize = self
            .edits
            .iter()
            .map(|edit| size_of::<Edit>() + edit.heap_bytes())
            .sum();
        let effects: usize = self
            .effects
            .iter()
            .map(|effect| size_of::<Effect>() + effect.heap_bytes())
            .sum();
        size_of::<Self>() + outcome + edits + effects + self.note.as_ref().map_or(0, |n| n.len())
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
    /// What it writes; `None` if it only removes, or sets a status.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::SetHeader { value, .. }
            | Self::AppendHeader { value, .. }
            | Self::DefaultHeader { value, .. }
            | Self::SetPath(value)
            | Self::SetQuery(value) => Some(value),
            Self::RemoveHeader(_) | Self::SetStatus(_) => None,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::SetHeader { name, value }
            | Self::AppendHeader { name, value }
            | Self::DefaultHeader { name, value } => name.len() + value.heap_bytes(),
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
