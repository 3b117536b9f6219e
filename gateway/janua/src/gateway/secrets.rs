//! The secrets of policies for `janua status` and `janua check`, without their content.

use janua_admin::{SecretKeyStatus, SecretStatus};
use janua_proxy::Snapshot;

/// The state of each secret, by name.
pub(super) fn statuses(snapshot: &Snapshot) -> Vec<SecretStatus> {
    let secrets = snapshot.secrets().iter();
    let statuses = secrets.map(|(name, secret)| {
        let content = secret.content();
        let keys = content.keys().map(|key| SecretKeyStatus {
            id: key.id,
            key_type: key.key_type,
            algorithm: key.algorithm.map(str::to_owned),
        });
        SecretStatus {
            name: name.to_owned(),
            kind: content.kind().name().to_owned(),
            keys: keys.collect(),
            users: content.users() as u64,
        }
    });
    statuses.collect()
}
