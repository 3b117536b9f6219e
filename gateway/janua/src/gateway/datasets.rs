//! The datasets of policies for `janua status` and `janua check`.

use std::collections::BTreeSet;

use janua_admin::DatasetStatus;
use janua_proxy::Snapshot;

/// The state of each dataset, by name.
pub(super) fn statuses(snapshot: &Snapshot) -> Vec<DatasetStatus> {
    let datasets = snapshot.datasets().iter();
    let statuses = datasets.map(|(name, dataset)| {
        let policies = snapshot.policies().iter();
        let users: BTreeSet<String> = policies
            .filter(|policy| policy.datasets().contains(name))
            .map(|policy| policy.name().to_string())
            .collect();
        DatasetStatus {
            name: name.to_owned(),
            kind: dataset.kind().name().to_owned(),
            entries: dataset.entries() as u64,
            bytes: dataset.bytes() as u64,
            generation: dataset.generation(),
            users: users.into_iter().collect(),
        }
    });
    statuses.collect()
}
