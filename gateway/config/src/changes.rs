//! The differences between two configurations, field by field.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::document::Config;
use crate::tree::{NamedObject, ToTree, Tree};

/// One difference. It contains no secret: for a field that may hold one, it states
/// only that the field differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The object that differs, from the outermost to the innermost: `site shop:
    /// route /api`, `server`. Empty for the top level of the file.
    pub what: String,
    /// The field; with dots if it is in a table: `files.listing`. None if the
    /// object itself was added or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// How it differs.
    pub change: ChangeKind,
    /// The old value, if there was one that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The new value, if there is one that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// How an object or a field differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was added; in a list: this element was added.
    Added,
    /// It was removed; in a list: this element was removed.
    Removed,
    /// Its value is different.
    Changed,
    /// It has the same elements in a different order.
    Reordered,
}

/// Longer values are shortened to this many characters.
const LONGEST: usize = 80;
/// The most added, and the most removed, elements of a list that are named.
const MOST_ELEMENTS: usize = 16;

impl Config {
    /// The changes that lead to `new`. Comments, white space, the order of tables
    /// and the file that contains them make no difference, nor does writing out a
    /// default.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let new = new.tables();
        for ((name, old), (_, new)) in self.tables().iter().zip(&new) {
            let place = match (old, new) {
                (Tree::Table(_), Tree::Table(_)) => Place::of_object((*name).to_owned()),
                _ => Place::default().field(name),
            };
            compare(&place, old, new, &mut changes);
        }
        changes
    }

    fn tables(&self) -> [(&'static str, Tree); 15] {
        // Destructured without `..`, so that a new table cannot be forgotten here.
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
            secrets,
            datasets,
            acme,
            webhooks,
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
            ("secrets", secrets.to_tree()),
            ("datasets", datasets.to_tree()),
            ("acme", acme.default.to_tree()),
            ("authorities", acme.named.to_tree()),
            ("webhooks", webhooks.to_tree()),
            ("sites", sites.to_tree()),
        ]
    }
}

/// A position in the tree.
#[derive(Clone, Default)]
struct Place {
    what: String,
    field: String,
}

impl Place {
    fn of_object(what: String) -> Self {
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

    fn object(&self, name: &str) -> Self {
        Self::of_object(match self.what.as_str() {
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
        (Tree::Objects(old), Tree::Objects(new)) => objects(place, old, new, changes),
        (Tree::List(old), Tree::List(new)) => lists(place, old, new, changes),
        // An empty list does not tell whether its elements would be named objects.
        (Tree::Objects(none), Tree::List(new)) if none.is_empty() => {
            lists(place, &[], new, changes);
        }
        (Tree::List(old), Tree::Objects(none)) if none.is_empty() => {
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

fn objects(place: &Place, old: &[NamedObject], new: &[NamedObject], changes: &mut Vec<Change>) {
    fn by_name(objects: &[NamedObject]) -> BTreeMap<&str, &NamedObject> {
        let objects = objects.iter();
        objects
            .map(|object| (object.name.as_str(), object))
            .collect()
    }
    let (was, is) = (by_name(old), by_name(new));
    for object in new {
        let before = was.get(object.name.as_str());
        let place = place.object(&object.name);
        match before {
            None => changes.push(place.change(ChangeKind::Added, None, None)),
            Some(before) => compare(&place, &before.fields, &object.fields, changes),
        }
    }
    let is_gone = |object: &&NamedObject| !is.contains_key(object.name.as_str());
    for object in old.iter().filter(is_gone) {
        let place = place.object(&object.name);
        changes.push(place.change(ChangeKind::Removed, None, None));
    }
    let names = |objects: &[NamedObject], others: &BTreeMap<&str, &NamedObject>| -> Vec<String> {
        let names = objects.iter().map(|object| object.name.clone());
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

/// The elements of a list that are missing in the other, counting repetitions.
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

/// A value that may be shown, on one line.
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

/// One line for the operator: `upstream sales: retries 1 → 2`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(field) = &self.field else {
            return match self.change {
                ChangeKind::Added => write!(f, "{} added", self.what),
                ChangeKind::Removed => write!(f, "{} removed", self.what),
                // A list of objects, which has no field name: its order has
                // changed.
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

/// Quotes a value that would not be recognised as one word.
fn quoted(value: &str) -> String {
    match value.is_empty() || value.contains(' ') {
        true => format!("\"{value}\""),
        false => value.to_owned(),
    }
}
