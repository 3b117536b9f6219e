//! The checked edits of one phase.

use std::collections::BTreeSet;

use janua_sdk::{Phase, Value, Verdict, WithHead, syntax};

use crate::config::Fields;
use crate::fields::field_of;

/// Edits with their names checked and their placeholders declared.
#[derive(Debug)]
pub(crate) struct Edits<P> {
    remove: Vec<String>,
    set: Vec<(String, Value<P>)>,
    append: Vec<(String, Value<P>)>,
}

impl<P: WithHead> Edits<P> {
    /// Checks the edits of `phase` and declares them and their references. `table` is the name of
    /// their table, for error messages.
    ///
    /// # Errors
    /// A name that is not valid, that only the gateway may set or that is set twice, and
    /// a placeholder without a value in the phase.
    pub(crate) fn new(table: &str, fields: Fields, phase: &mut Phase<P>) -> Result<Self, String> {
        let at = |list: &str, message: String| format!("`{table}.{list}`: {message}");
        let remove = fields.remove.iter().map(|name| syntax::field_name(name));
        let remove: Vec<_> = remove
            .collect::<Result<_, _>>()
            .map_err(|message| at("remove", message))?;

        let mut set = Vec::new();
        let mut seen = BTreeSet::new();
        for (written, template) in fields.set {
            let name =
                syntax::field_name(field_of(&written)).map_err(|message| at("set", message))?;
            if !seen.insert(name.clone()) {
                return Err(at("set", format!("`{name}` is there twice")));
            }
            let value = template.value(phase);
            let value = value.map_err(|message| at(&format!("set.{written}"), message))?;
            set.push((name, value));
        }

        let mut append = Vec::new();
        for (written, lines) in fields.append {
            let name =
                syntax::field_name(field_of(&written)).map_err(|message| at("append", message))?;
            for template in lines.0 {
                let value = template.value(phase);
                let value = value.map_err(|message| at(&format!("append.{written}"), message))?;
                append.push((name.clone(), value));
            }
        }
        let valued = set.iter().chain(&append).map(|(name, _)| name);
        for name in remove.iter().chain(valued) {
            phase.may_edit(name);
        }
        Ok(Self {
            remove,
            set,
            append,
        })
    }

    /// Adds the edits to a verdict, in the order `remove`, `set`, `append`.
    #[must_use]
    pub(crate) fn add_to(&self, mut verdict: Verdict<P>) -> Verdict<P> {
        for name in &self.remove {
            verdict = verdict.remove_header(name);
        }
        for (name, value) in &self.set {
            verdict = verdict.set_header(name, value);
        }
        for (name, value) in &self.append {
            verdict = verdict.append_header(name, value);
        }
        verdict
    }
}
