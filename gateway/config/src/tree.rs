//! A configuration as a tree of named values, for comparing two configurations
//! field by field. [`table!`](crate::table) generates the tree of a table from
//! the definition of its fields, so a new field cannot be forgotten.

mod values;

use std::collections::HashMap;

use crate::list::{NonEmpty, OneOrMany};
use crate::names::{Definition, Named, Names};
use crate::span::Spanned;

/// A value and everything below it. It has no `Debug`, because it contains
/// secrets.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tree {
    /// The field is absent and has no default, or its feature is off.
    Absent,
    /// A value as it would be written in the file, without quotes.
    Value(String),
    /// A value that is compared but never shown.
    Secret(String),
    /// A list of unnamed values.
    List(Vec<Tree>),
    /// Fields by their names.
    Table(Vec<(String, Tree)>),
    /// A list of named objects: sites, routes, upstreams, endpoints.
    Objects(Vec<NamedObject>),
}

/// An object with a name of its own.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamedObject {
    /// The name: `upstream sales`. Unique within its list.
    pub(crate) name: String,
    pub(crate) fields: Tree,
}

/// Types that can be converted to a tree.
pub(crate) trait ToTree {
    fn to_tree(&self) -> Tree;

    /// The name of this object in a list: `endpoint 10.0.0.3:80`. None if it is
    /// identified by its value.
    fn object_name(&self) -> Option<String> {
        None
    }
}

/// Several fields of a table that together form one value.
pub(crate) trait ToFields {
    fn to_fields(&self) -> Vec<(String, Tree)>;
}

impl<T: ToTree> ToTree for Spanned<T> {
    fn to_tree(&self) -> Tree {
        self.value.to_tree()
    }

    fn object_name(&self) -> Option<String> {
        self.value.object_name()
    }
}

impl<T: ToTree> ToTree for Box<T> {
    fn to_tree(&self) -> Tree {
        (**self).to_tree()
    }
}

impl<T: ToTree> ToTree for Option<T> {
    fn to_tree(&self) -> Tree {
        self.as_ref().map_or(Tree::Absent, T::to_tree)
    }
}

impl<T: ToTree> ToTree for Vec<T> {
    fn to_tree(&self) -> Tree {
        list(self)
    }
}

impl<T: ToTree> ToTree for OneOrMany<T> {
    fn to_tree(&self) -> Tree {
        list(&self.0)
    }
}

impl<T: ToTree> ToTree for NonEmpty<T> {
    fn to_tree(&self) -> Tree {
        list(&self.0)
    }
}

impl<T: ToTree + Definition> ToTree for Names<T> {
    fn to_tree(&self) -> Tree {
        let object = |Named { name, table }: &Named<T>| NamedObject {
            name: format!("{} {name}", T::KIND),
            fields: table.to_tree(),
        };
        Tree::Objects(self.values().map(object).collect())
    }
}

/// A list of values or of objects. Objects with equal names are numbered.
pub(crate) fn list<T: ToTree>(items: &[T]) -> Tree {
    let mut objects: Vec<NamedObject> = Vec::new();
    // The names in use, and how many objects have each of them.
    let mut taken: HashMap<String, usize> = HashMap::new();
    for item in items {
        let Some(name) = item.object_name() else {
            return Tree::List(items.iter().map(T::to_tree).collect());
        };
        let mut wanted = *taken.entry(name.clone()).or_insert(0) + 1;
        let mut own = name.clone();
        if wanted > 1 {
            // Another object may already be called `x (2)`.
            own = loop {
                let numbered = format!("{name} ({wanted})");
                if !taken.contains_key(&numbered) {
                    break numbered;
                }
                wanted += 1;
            };
            taken.insert(own.clone(), 1);
        }
        taken.insert(name, wanted);
        let name = own;
        objects.push(NamedObject {
            name,
            fields: item.to_tree(),
        });
    }
    Tree::Objects(objects)
}
