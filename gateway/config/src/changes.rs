//! What differs between two configurations, field by field.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::document::Config;
use crate::tree::{Thing, ToTree, Tree};

/// One difference. Holds no secret: of fields that may hold one it says only
/// that they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is about, from the outside in: `site shop: route /api`,
    /// `server`. Empty for the file as a whole.
    pub what: String,
    /// The field, dotted where it is in a table: `files.listing`. None if the
    /// thing itself came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What became of it.
    pub change: ChangeKind,
    /// The value before, if there was one that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The value now, if there is one that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// What became of a thing or a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was not there before; of a list: this element.
    Added,
    /// It is not there any more; of a list: this element.
    Removed,
    /// It is another one.
    Changed,
    /// The same elements are in another order.
    Reordered,
}

/// Values are shown up to this many characters.
const LONGEST: usize = 80;
/// Of a list so many elements are named that came, and so many that went.
const MOST_ELEMENTS: usize = 16;

impl Config {
    /// What differs in `new`. Comments, spaces, the order of tables and which
    /// file they stand in are no difference, nor is a default that is written out.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let new = new.tables();
        for ((name, old), (_, new)) in self.tables().iter().zip(&new) {
            let place = match (old, new) {
                (Tree::Table(_), Tree::Table(_)) => Place::of_thing((*name).to_owned()),
                _ => Place::default().field(name),
            };
            compare(&place, old, new, &mut changes);
        }
        changes
    }

    fn tables(&self) -> [(&'static str, Tree); 10] {
        // In full, so that a table which is added is compared, too.
        let Self {
            include,
            server,
            admin,
            log,
            cache,
            compression,
            listeners,
            upstreams,
            policies,
            sites,
        } = self;
        [
            ("include", include.to_tree()),
            ("server", server.to_tree()),
            ("admin", admin.to_tree()),
            ("log", log.to_tree()),
            ("cache", cache.to_tree()),
            ("compression", compression.to_tree()),
            ("listeners", listeners.to_tree()),
            ("upstreams", upstreams.to_tree()),
            ("policies", policies.to_tree()),
            ("sites", sites.to_tree()),
        ]
    }
}

/// Where in the tree.
#[derive(Clone, Default)]
struct Place {
    what: String,
    field: String,
}

impl Place {
    fn of_thing(what: String) -> Self {
        Self {
            what,
            field: String::new(),
        }
    }

    fn field(&self, name: &str) -> Self {
        let field = match self.field.as_str() {
            "" => name.to_owned(),
            table => format!("{table}.{name}"),
        };
        Self {
            what: self.what.clone(),
            field,
        }
    }

    fn thing(&self, name: &str) -> Self {
        Self::of_thing(match self.what.as_str() {
            "" => name.to_owned(),
            outer => format!("{outer}: {name}"),
        })
    }

    fn change(&self, change: ChangeKind, old: Option<String>, new: Option<String>) -> Change {
        Change {
            what: self.what.clone(),
            field: Some(self.field.clone()).filter(|field| !field.is_empty()),
            change,
            old,
            new,
        }
    }
}

fn compare(place: &Place, old: &Tree, new: &Tree, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Tree::Table(old), Tree::Table(new)) => tables(place, old, new, changes),
        (Tree::Things(old), Tree::Things(new)) => things(place, old, new, changes),
        (Tree::List(old), Tree::List(new)) => lists(place, old, new, changes),
        // An empty list says nothing of what would be in it.
        (Tree::Things(none), Tree::List(new)) if none.is_empty() => {
            lists(place, &[], new, changes);
        }
        (Tree::List(old), Tree::Things(none)) if none.is_empty() => {
            lists(place, old, &[], changes);
        }
        _ => {
            let kind = match (old, new) {
                (Tree::Absent, _) => ChangeKind::Added,
                (_, Tree::Absent) => ChangeKind::Removed,
                _ => ChangeKind::Changed,
            };
            changes.push(place.change(kind, shown(old), shown(new)));
        }
    }
}

fn tables(
    place: &Place,
    old: &[(String, Tree)],
    new: &[(String, Tree)],
    changes: &mut Vec<Change>,
) {
    fn by_name(table: &[(String, Tree)]) -> BTreeMap<&str, &Tree> {
        let fields = table.iter();
        fields.map(|(name, tree)| (name.as_str(), tree)).collect()
    }
    let (was_by_name, is_by_name) = (by_name(old), by_name(new));
    for (name, was) in old {
        let is = is_by_name.get(name.as_str()).copied();
        compare(
            &place.field(name),
            was,
            is.unwrap_or(&Tree::Absent),
            changes,
        );
    }
    for (name, is) in new {
        if !was_by_name.contains_key(name.as_str()) {
            compare(&place.field(name), &Tree::Absent, is, changes);
        }
    }
}

fn things(place: &Place, old: &[Thing], new: &[Thing], changes: &mut Vec<Change>) {
    fn by_name(things: &[Thing]) -> BTreeMap<&str, &Thing> {
        let things = things.iter();
        things.map(|thing| (thing.name.as_str(), thing)).collect()
    }
    let (was, is) = (by_name(old), by_name(new));
    for thing in new {
        let before = was.get(thing.name.as_str());
        let place = place.thing(&thing.name);
        match before {
            None => changes.push(place.change(ChangeKind::Added, None, None)),
            Some(before) => compare(&place, &before.fields, &thing.fields, changes),
        }
    }
    let is_gone = |thing: &&Thing| !is.contains_key(thing.name.as_str());
    for thing in old.iter().filter(is_gone) {
        let place = place.thing(&thing.name);
        changes.push(place.change(ChangeKind::Removed, None, None));
    }
    let names = |things: &[Thing], others: &BTreeMap<&str, &Thing>| -> Vec<String> {
        let names = things.iter().map(|thing| thing.name.clone());
        names
            .filter(|name| others.contains_key(name.as_str()))
            .collect()
    };
    if names(old, &is) != names(new, &was) {
        changes.push(place.change(ChangeKind::Reordered, None, None));
    }
}

fn lists(place: &Place, old: &[Tree], new: &[Tree], changes: &mut Vec<Change>) {
    let added = without(new, old);
    let removed = without(old, new);
    let all_shown = added
        .iter()
        .chain(&removed)
        .all(|tree| matches!(tree, Tree::Value(_)));
    if added.is_empty() && removed.is_empty() {
        changes.push(place.change(ChangeKind::Reordered, None, None));
    } else if !all_shown || added.len() > MOST_ELEMENTS || removed.len() > MOST_ELEMENTS {
        changes.push(place.change(ChangeKind::Changed, None, None));
    } else {
        let added = added.iter();
        changes.extend(added.map(|tree| place.change(ChangeKind::Added, None, shown(tree))));
        let removed = removed.iter();
        changes.extend(removed.map(|tree| place.change(ChangeKind::Removed, shown(tree), None)));
    }
}

/// The elements of one list that the other does not have, as often as it lacks them.
fn without<'t>(list: &'t [Tree], other: &[Tree]) -> Vec<&'t Tree> {
    let mut left: BTreeMap<&Tree, usize> = BTreeMap::new();
    for tree in other {
        *left.entry(tree).or_default() += 1;
    }
    let mut missing = Vec::new();
    for tree in list {
        match left.get_mut(tree) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push(tree),
        }
    }
    missing
}

/// A value that may be shown, in one line.
fn shown(tree: &Tree) -> Option<String> {
    let Tree::Value(text) = tree else {
        return None;
    };
    let line = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().map(line).take(LONGEST + 1).collect();
    if line.chars().count() > LONGEST {
        line.pop();
        line.push('…');
    }
    Some(line)
}

/// A line for a person: `upstream sales: retries 1 → 2`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(field) = &self.field else {
            return match self.change {
                ChangeKind::Added => write!(f, "{} added", self.what),
                ChangeKind::Removed => write!(f, "{} removed", self.what),
                // Of things that have an order, but no field: they have one.
                ChangeKind::Changed | ChangeKind::Reordered => write!(f, "{} changed", self.what),
            };
        };
        if !self.what.is_empty() {
            write!(f, "{}: ", self.what)?;
        }
        let (old, new) = (self.old.as_deref(), self.new.as_deref());
        match (self.change, old, new) {
            (ChangeKind::Changed, Some(old), Some(new)) => {
                write!(f, "{field} {} → {}", quoted(old), quoted(new))
            }
            (ChangeKind::Changed, _, _) => write!(f, "{field} changed"),
            (ChangeKind::Added, _, Some(new)) => write!(f, "{field} {} added", quoted(new)),
            (ChangeKind::Added, _, None) => write!(f, "{field} added"),
            (ChangeKind::Removed, Some(old), _) => write!(f, "{field} {} removed", quoted(old)),
            (ChangeKind::Removed, None, _) => write!(f, "{field} removed"),
            (ChangeKind::Reordered, _, _) => write!(f, "order of {field} changed"),
        }
    }
}

/// In quotes where it would not stand out as one word.
fn quoted(value: &str) -> String {
    match value.is_empty() || value.contains(' ') {
        true => format!("\"{value}\""),
        false => value.to_owned(),
    }
}
