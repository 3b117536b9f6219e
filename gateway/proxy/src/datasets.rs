//! Reads the datasets of a configuration, and checks how its policies use them.

use std::collections::BTreeMap;
use std::sync::Arc;

use janua_config::{self as config, DatasetKind, Diagnostic, Diagnostics, Named, NamedDataset};
use janua_datasets::{Dataset, Datasets, Kind, Source};
use janua_wasm::Policy;

/// The datasets of a configuration that is being compiled, by name. None for one that could
/// not be read, which has been reported.
pub(crate) struct Lists(BTreeMap<String, Option<Arc<Dataset>>>);

impl Lists {
    /// Reads all of them. Those whose files are as before stay the same datasets.
    pub(crate) fn read(
        config: &config::Config,
        before: &Datasets,
        found: &mut Diagnostics,
    ) -> Self {
        let datasets = config.datasets.values().map(|named| {
            let name = named.name.value.clone();
            let dataset = read(named, before.get(&name), found);
            (name, dataset)
        });
        Self(datasets.collect())
    }

    /// Whether there is a dataset with this name, even one that could not be read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The error of a policy that asks for a record of a dataset that has none.
    pub(crate) fn wrong_member(
        &self,
        named: &Named<config::Policy>,
        policy: &Policy,
    ) -> Option<Diagnostic> {
        let name = &named.name.value;
        let without_records = |dataset: &str| {
            let dataset = self.0.get(dataset)?.as_ref()?;
            (dataset.kind() != Kind::Records).then(|| dataset.kind())
        };
        policy.lookups().find_map(|lookup| {
            let kind = without_records(&lookup.dataset).filter(|_| !lookup.member.is_empty())?;
            let message = format!(
                "policy `{name}` asks for the member `{}` of the dataset `{}`, which has no records",
                lookup.member, lookup.dataset
            );
            let help = format!(
                "it is a dataset of `{}`: give the policy one of `mmdb`",
                kind.name()
            );
            Some(Diagnostic::error(named.component.span, message).help(help))
        })
    }

    /// Those that could be read.
    pub(crate) fn finish(self) -> Datasets {
        let datasets = self.0.into_iter();
        let read = datasets.filter_map(|(name, dataset)| Some((name, dataset?)));
        read.collect()
    }
}

fn read(
    named: &NamedDataset,
    before: Option<&Arc<Dataset>>,
    found: &mut Diagnostics,
) -> Option<Arc<Dataset>> {
    let source = &named.source;
    let file = &source.file;
    let path = file.value.display();
    let read = Source {
        kind: match source.kind {
            DatasetKind::Networks => Kind::Networks,
            DatasetKind::Strings => Kind::Strings,
            DatasetKind::Regexes => Kind::Regexes,
            DatasetKind::Mmdb => Kind::Records,
        },
        file: file.value.clone(),
    };
    match read.load(before) {
        Ok(dataset) => {
            if dataset.entries() == 0 {
                let message = format!("the file {path} has no entries: nothing is found in it");
                found.push(Diagnostic::warning(file.span, message));
            }
            Some(dataset)
        }
        Err(error) => {
            let message = match error.line {
                Some(line) => format!("{path}:{line}: {}", error.why),
                None => format!("the file {path}: {}", error.why),
            };
            found.push(Diagnostic::error(file.span, message));
            None
        }
    }
}
