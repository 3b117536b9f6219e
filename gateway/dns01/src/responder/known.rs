//! What the name server knows: which names are delegated to it, and the values.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::rr::Name;
use hickory_proto::rr::rdata::SOA;

use crate::error::Error;
use crate::names;
use crate::records::Zones;

/// How long a resolver may remember that there is nothing, in seconds (RFC 2308,
/// section 5): one that has asked before the value is there must ask again.
const NEGATIVE_TTL: u32 = 1;

/// The longest string of a TXT record (RFC 1035, section 3.3). A value has 43
/// bytes.
const VALUE_BYTES: usize = 255;

/// For secondary servers, of which there are none: in seconds.
const REFRESH: i32 = 3600;
const RETRY: i32 = 600;
const EXPIRE: i32 = 86_400;

/// Zones and values. Its methods never wait.
#[derive(Debug)]
pub(super) struct Known {
    zone: Option<Key>,
    name_server: Name,
    /// The mailbox of whoever is responsible, as a name (RFC 1035, section
    /// 3.3.13). Nobody reads it: the gateway's name does.
    mailbox: Name,
    current: RwLock<Current>,
    answered: AtomicU64,
}

#[derive(Debug)]
struct Current {
    apexes: HashSet<Key>,
    values: HashMap<Key, Vec<String>>,
    /// Grows with each change (RFC 1982).
    serial: u32,
}

/// A name as in a message, in lower case: labels with their lengths. The part of
/// it after any label is the key of a parent.
type Key = Box<[u8]>;

/// What is known of a name inside of a zone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// How many labels it has before the apex of its zone; 0 for the apex.
    pub(super) below_apex: usize,
    /// The values of its TXT records.
    pub(super) values: Vec<String>,
    pub(super) soa: SOA,
}

impl Known {
    pub(super) fn new(zones: &Zones) -> Result<Self, Error> {
        let name_server = names::parse(&zones.name_server)?;
        let zone = zones.zone.as_deref().map(names::parse).transpose()?;
        if let Some(zone) = zone.as_ref().filter(|zone| zone.zone_of(&name_server)) {
            return Err(Error::new(format!(
                "The name server `{name_server}` is inside of the zone `{zone}`, where it has no \
                 address: give it a name outside of it."
            )));
        }
        let zone = zone.as_ref().map(key);
        // Any number will do that is larger than before a restart.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = since.unwrap_or_default().as_secs() & u64::from(u32::MAX);
        Ok(Self {
            current: RwLock::new(Current {
                apexes: zone.iter().cloned().collect(),
                values: HashMap::new(),
                serial: u32::try_from(seconds).unwrap_or_default(),
            }),
            zone,
            mailbox: Name::from_ascii("hostmaster")
                .and_then(|label| label.append_domain(&name_server))
                .unwrap_or_else(|_| name_server.clone()),
            name_server,
            answered: AtomicU64::new(0),
        })
    }

    pub(super) fn present(&self, name: &str, value: &str) -> Result<(), Error> {
        let name = names::parse(name)?;
        if value.len() > VALUE_BYTES {
            let long = format!("The value is longer than {VALUE_BYTES} bytes.");
            return Err(Error::new(long));
        }
        let mut current = self.write();
        let values = current.values.entry(key(&name)).or_default();
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
        Ok(())
    }

    pub(super) fn clear(&self, name: &str, value: &str) {
        let Ok(name) = names::parse(name) else {
            return;
        };
        let (key, mut current) = (key(&name), self.write());
        if let Some(values) = current.values.get_mut(&key) {
            values.retain(|known| known != value);
            if values.is_empty() {
                current.values.remove(&key);
            }
        }
    }

    pub(super) fn set_apexes(&self, names: impl IntoIterator<Item = String>) {
        let mut apexes: HashSet<Key> = self.zone.iter().cloned().collect();
        for name in names {
            match names::parse(&name) {
                Ok(parsed) => {
                    apexes.insert(key(&parsed));
                }
                Err(error) => tracing::error!(name, %error, "name for challenges not served"),
            }
        }
        self.write().apexes = apexes;
    }

    /// What is known of a name; none if it is outside of all zones.
    pub(super) fn find(&self, name: &Name) -> Option<Place> {
        let key = key(name);
        let current = self.read();
        // The closest apex is the one that counts: a name may be delegated below
        // another.
        let mut rest: &[u8] = &key;
        let mut below_apex = 0;
        while !current.apexes.contains(rest) {
            let length = usize::from(*rest.first()?);
            rest = rest.get(1 + length..)?;
            below_apex += 1;
        }
        Some(Place {
            below_apex,
            values: current.values.get(&key).cloned().unwrap_or_default(),
            soa: SOA::new(
                self.name_server.clone(),
                self.mailbox.clone(),
                current.serial,
                REFRESH,
                RETRY,
                EXPIRE,
                NEGATIVE_TTL,
            ),
        })
    }

    pub(super) fn name_server(&self) -> &Name {
        &self.name_server
    }

    pub(super) fn count_answer(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a change.
    fn write(&self) -> RwLockWriteGuard<'_, Current> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.serial = current.serial.wrapping_add(1);
        current
    }
}

fn key(name: &Name) -> Key {
    let mut key = Vec::with_capacity(name.len());
    for label in name {
        // A label has at most 63 bytes.
        key.push(u8::try_from(label.len()).unwrap_or_default());
        key.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    key.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(zone: Option<&str>, name_server: &str) -> Result<Known, Error> {
        Known::new(&Zones {
            zone: zone.map(str::to_owned),
            name_server: name_server.to_owned(),
        })
    }

    fn find(known: &Known, name: &str) -> Option<(usize, Vec<String>)> {
        let place = known.find(&Name::from_ascii(name).unwrap());
        place.map(|place| (place.below_apex, place.values))
    }

    #[test]
    fn values_are_found_in_zones_only() {
        let known = known(Some("acme.example.com"), "gw.example.com").unwrap();
        for value in ["one", "two", "one"] {
            known.present("A.acme.example.com", value).unwrap();
        }
        let values = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(find(&known, "a.ACME.example.com."), Some((1, values)));
        assert_eq!(find(&known, "acme.example.com."), Some((0, vec![])));
        assert_eq!(find(&known, "x.y.acme.example.com."), Some((2, vec![])));
        for outside in ["example.com.", "xacme.example.com.", "com.", "."] {
            assert_eq!(find(&known, outside), None, "{outside}");
        }
        known.clear("a.acme.example.com", "one");
        known.clear("a.acme.example.com", "other");
        let rest = vec!["two".to_owned()];
        assert_eq!(find(&known, "a.acme.example.com."), Some((1, rest)));
        known.clear("a.acme.example.com", "two");
        assert!(known.read().values.is_empty());
    }

    #[test]
    fn apexes_are_replaced_and_the_zone_stays() {
        let known = known(Some("acme.example.com"), "gw.example.com").unwrap();
        let apex = "_acme-challenge.a.example";
        known.set_apexes([apex.to_owned(), "in..valid".to_owned()]);
        assert_eq!(find(&known, apex), Some((0, vec![])));
        assert_eq!(find(&known, &format!("x.{apex}")), Some((1, vec![])));
        known.set_apexes([]);
        assert_eq!(find(&known, apex), None);
        assert_eq!(find(&known, "acme.example.com."), Some((0, vec![])));
    }

    #[test]
    fn the_serial_number_grows_with_each_change() {
        let known = known(Some("acme.example.com"), "gw.example.com").unwrap();
        let serial = || {
            let apex = Name::from_ascii("acme.example.com.").unwrap();
            known.find(&apex).unwrap().soa.serial
        };
        let before = serial();
        known.present("a.acme.example.com", "one").unwrap();
        assert_eq!(serial(), before.wrapping_add(1));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        assert!(known(Some("acme.example.com"), "ns.acme.example.com").is_err());
        assert!(known(Some("a..b"), "gw.example.com").is_err());
        assert!(known(None, "").is_err());
        let known = known(None, "gw.example.com").unwrap();
        assert!(known.present("a.example", &"a".repeat(256)).is_err());
        assert!(known.present("a..example", "a").is_err());
    }
}
