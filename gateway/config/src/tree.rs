//! A configuration as a tree of named values, so that two of them can be
//! compared field by field. [`table!`](crate::table) writes the tree of a
//! table out of the definition of its fields: a field that is added later is in
//! it, or does not compile.

mod values;

use std::collections::HashMap;

use crate::list::{NonEmpty, OneOrMany};
use crate::names::{Definition, Named, Names};
use crate::span::Spanned;

/// A value, with all that is below it. Has no `Debug`: it holds secrets.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tree {
    /// It was left out, and has no default.
    Absent,
    /// A value as an operator would write it, without its quotes.
    Value(String),
    /// A value that is compared and never shown.
    Secret(String),
    /// Values of one kind.
    List(Vec<Tree>),
    /// Fields by their names.
    Table(Vec<(String, Tree)>),
    /// What has a name of its own: sites, routes, upstreams, endpoints.
    Things(Vec<Thing>),
}

/// What has a name of its own.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Thing {
    /// What it is called: `upstream sales`. Different from all beside it.
    pub(crate) name: String,
    pub(crate) fields: Tree,
}

/// What has a place in the tree.
pub(crate) trait ToTree {
    fn to_tree(&self) -> Tree;

    /// What it is called among others in a list: `endpoint 10.0.0.3:80`. None
    /// if it is known by its value.
    fn thing(&self) -> Option<String> {
        None
    }
}

/// Several fields of a table that together make one value.
pub(crate) trait ToFields {
    fn to_fields(&self) -> Vec<(String, Tree)>;
}

impl<T: ToTree> ToTree for Spanned<T> {
    fn to_tree(&self) -> Tree {
        self.value.to_tree()
    }

    fn thing(&self) -> Option<String> {
        self.value.thing()
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
        let thing = |Named { name, table }: &Named<T>| Thing {
            name: format!("{} {name}", T::KIND),
            fields: table.to_tree(),
        };
        Tree::Things(self.values().map(thing).collect())
    }
}

/// A list of values, or of things. Those of one name are told apart by number.
fn list<T: ToTree>(items: &[T]) -> Tree {
    let mut things: Vec<Thing> = Vec::new();
    // Every name that is taken, and how many things wanted it.
    let mut taken: HashMap<String, usize> = HashMap::new();
    for item in items {
        let Some(name) = item.thing() else {
            return Tree::List(items.iter().map(T::to_tree).collect());
        };
        let mut wanted = *taken.entry(name.clone()).or_insert(0) + 1;
        let mut own = name.clone();
        if wanted > 1 {
            // Something else may be called `x (2)` by itself.
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
        things.push(Thing {
            name,
            fields: item.to_tree(),
        });
    }
    Tree::Things(things)
}
