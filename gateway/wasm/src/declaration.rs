//! A policy's declaration, checked: its phases, what it owns, and what it uses. Everything
//! in it is known by name, so what this version does not know is refused here, in words.

use std::collections::BTreeSet;

use crate::configure_error::ConfigureError;
use crate::convert::{RawPhase, RawSubscription};
use crate::grants::phases_of;
use crate::input::{Input, Lookup, Phase};
use crate::permission::{FieldPattern, Permission, Readable, Resource};
use crate::plan::{May, Plan};
use crate::rules;

/// The largest numbers of entries (`wit/subscriptions.wit`).
const MAX_MAY: usize = 64;
const MAX_OWNED: usize = 32;
const MAX_VARIABLES: usize = 32;
const MAX_USES: usize = 64;

/// What a configured policy declares.
#[derive(Debug)]
pub(crate) struct Declaration {
    phases: [Option<Declared>; Phase::ALL.len()],
    pub(crate) owns: Vec<FieldPattern>,
    pub(crate) variables: Vec<Box<str>>,
    uses: Vec<Permission>,
    /// The upstreams among what it uses by name, each once.
    pub(crate) upstreams: Vec<Box<str>>,
}

#[derive(Debug)]
struct Declared {
    /// The position of the phase in the subscription, by which the component knows it.
    position: u32,
    plan: Plan,
}

impl Declaration {
    /// Checks a subscription.
    pub(crate) fn new(raw: &RawSubscription) -> Result<Self, ConfigureError> {
        if let Some(unknown) = raw.more.first() {
            return Err(ConfigureError::NotSupported(format!(
                "the declaration `{unknown}`"
            )));
        }
        at_most("fields that it owns", raw.owns.len(), MAX_OWNED)?;
        at_most("variables", raw.variables.len(), MAX_VARIABLES)?;
        at_most("names that it uses", raw.uses.len(), MAX_USES)?;
        let owns: Vec<FieldPattern> = raw
            .owns
            .iter()
            .map(|name| owned(name))
            .collect::<Result<_, _>>()?;
        let uses = raw.uses.iter().map(|word| match permission(word)? {
            permission @ (Permission::Use(..) | Permission::KeyValue) => Ok(permission),
            other => Err(failed(format!(
                "it declares `{other}` as a name that it uses; that belongs to a phase"
            ))),
        });
        let mut declaration = Self {
            uses: uses.collect::<Result<_, _>>()?,
            variables: raw
                .variables
                .iter()
                .map(|name| rules::variable_name(name).map_err(failed))
                .collect::<Result<_, _>>()?,
            phases: Default::default(),
            owns,
            upstreams: Vec::new(),
        };
        let upstreams: BTreeSet<&str> = declaration.names(Resource::Upstream).collect();
        declaration.upstreams = upstreams.into_iter().map(Box::from).collect();
        for (position, phase) in (0..).zip(&raw.phases) {
            declaration.add(position, phase)?;
        }
        Ok(declaration)
    }

    fn add(&mut self, position: u32, raw: &RawPhase) -> Result<(), ConfigureError> {
        let phase = Phase::named(&raw.name).ok_or_else(|| {
            ConfigureError::NotSupported(format!("to take part in the phase `{}`", raw.name))
        })?;
        let mut plan = plan(phase, raw)?;
        at_most("permissions in a phase", raw.may.len(), MAX_MAY)?;
        let mut may = Vec::new();
        for word in &raw.may {
            let permission = permission(word)?;
            check_phase(phase, &permission)?;
            may.push(permission);
        }
        if phase == Phase::Request {
            may.extend(self.owns.iter().cloned().map(Permission::EditHeader));
        }
        plan.may = May::new(may);
        match self.phases.get_mut(phase as usize) {
            Some(place @ None) => *place = Some(Declared { position, plan }),
            _ => {
                return Err(failed(format!(
                    "it declares the phase `{}` twice",
                    phase.name()
                )));
            }
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn plan(&self, phase: Phase) -> Option<&Plan> {
        self.declared(phase).map(|declared| &declared.plan)
    }

    /// The position by which the component knows the phase.
    #[inline]
    pub(crate) fn position(&self, phase: Phase) -> Option<u32> {
        self.declared(phase).map(|declared| declared.position)
    }

    #[inline]
    fn declared(&self, phase: Phase) -> Option<&Declared> {
        self.phases.get(phase as usize)?.as_ref()
    }

    /// All of its plans.
    pub(crate) fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.phases.iter().flatten().map(|declared| &declared.plan)
    }

    /// Everything that it may do, and every part of the exchange that it is told and that
    /// `is_guarded`.
    pub(crate) fn permissions(&self, is_guarded: impl Fn(&Input) -> bool) -> BTreeSet<Permission> {
        let told = self
            .inputs()
            .filter(|input| is_guarded(input))
            .filter_map(Input::readable)
            .map(Permission::Read);
        let done = self.plans().flat_map(|plan| plan.may.permissions());
        let owned = self.owns.iter().cloned().map(Permission::EditHeader);
        let asked = self.lookups();
        let asked = asked.map(|it| Permission::Use(Resource::Dataset, it.dataset.clone()));
        told.chain(done.cloned())
            .chain(asked)
            .chain(self.uses.iter().cloned())
            .chain(owned)
            .collect()
    }

    fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.plans()
            .flat_map(|plan| plan.inputs.iter().chain(&plan.references))
    }

    /// What it uses by name.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &Permission> {
        self.uses.iter()
    }

    /// The names of the secrets that it uses.
    pub(crate) fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.names(Resource::Secret)
    }

    /// The names of the things of this kind in what it uses by name.
    fn names(&self, kind: Resource) -> impl Iterator<Item = &str> {
        self.uses.iter().filter_map(move |used| match used {
            Permission::Use(of, name) if *of == kind => Some(&**name),
            _ => None,
        })
    }

    /// The look-ups that it asks for.
    pub(crate) fn lookups(&self) -> impl Iterator<Item = &Lookup> {
        self.inputs().filter_map(|input| match input {
            Input::Lookup(lookup) => Some(&**lookup),
            _ => None,
        })
    }

    /// The names of the datasets that it uses. A look-up declares its own.
    pub(crate) fn dataset_names(&self) -> BTreeSet<&str> {
        let asked = self.lookups().map(|it| &*it.dataset);
        self.names(Resource::Dataset).chain(asked).collect()
    }

    /// What it declares to be secret.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Readable> {
        self.plans()
            .flat_map(Plan::secrets)
            .filter_map(Input::readable)
    }
}

fn plan(phase: Phase, raw: &RawPhase) -> Result<Plan, ConfigureError> {
    for input in raw.inputs.iter().chain(&raw.references) {
        if !input.is_provided() {
            return Err(ConfigureError::NotSupported(format!("the input `{input}`")));
        }
        if !input.is_known_in(phase) {
            return Err(failed(format!(
                "it asks for `{input}` in the phase `{}`, where it is not known",
                phase.name()
            )));
        }
    }
    Plan::new(raw.inputs.clone(), raw.references.clone(), &raw.sensitive).map_err(failed)
}

/// Reads a permission that this version supports.
fn permission(word: &str) -> Result<Permission, ConfigureError> {
    let permission = Permission::parse(word);
    permission
        .filter(Permission::is_supported)
        .ok_or_else(|| ConfigureError::NotSupported(format!("the permission `{word}`")))
}

/// Checks that a verdict of a phase could make use of a permission.
fn check_phase(phase: Phase, permission: &Permission) -> Result<(), ConfigureError> {
    use Phase::{Fetched, Missing, Request, Response};
    let phases: &[Phase] = match permission {
        Permission::EditHeader(field) => {
            if let Some(name) = field.exact() {
                rules::field_name(name).map_err(failed)?;
            }
            &[Request]
        }
        Permission::SetPath | Permission::SetQuery => &[Request],
        Permission::EditResponseHeader(field) => {
            if let Some(name) = field.exact() {
                rules::field_name(name).map_err(failed)?;
            }
            &[Request, Fetched, Missing, Response]
        }
        Permission::SetStatus | Permission::Respond => &[Request, Fetched, Missing, Response],
        Permission::Serve => &[Missing],
        Permission::Effect(effect) => phases_of(effect),
        Permission::Read(_) | Permission::Use(..) | Permission::KeyValue => &[],
    };
    match phases.contains(&phase) {
        true => Ok(()),
        false => Err(failed(format!(
            "it declares `{permission}` in the phase `{}`, where that is not possible",
            phase.name()
        ))),
    }
}

/// Reads the name of a field that a policy owns.
fn owned(name: &str) -> Result<FieldPattern, ConfigureError> {
    let pattern = FieldPattern::parse(name)
        .ok_or_else(|| failed(format!("it owns {name:?}, which is no field name")))?;
    let is_needed = |field: &&&str| pattern.matches(field);
    // Without these the request would be another one, or none.
    if let Some(field) = rules::OWNED.iter().chain(&["host"]).find(is_needed) {
        return Err(failed(format!(
            "it owns `{name}`, which would remove `{field}` from requests"
        )));
    }
    // It has set these by then, and they would be missing from what the upstream gets.
    if let Some(field) = rules::SET_BY_GATEWAY.iter().find(is_needed) {
        return Err(failed(format!(
            "it owns `{name}`, which would remove `{field}`, a field that the gateway itself sets; it could own fields that begin with another word"
        )));
    }
    Ok(pattern)
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), ConfigureError> {
    rules::at_most(what, count, most).map_err(failed)
}

fn failed(why: String) -> ConfigureError {
    ConfigureError::Failed(why)
}

#[cfg(test)]
mod tests;
