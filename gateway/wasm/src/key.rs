//! The memo key: the declared inputs, except `now`, as one byte string.
//!
//! Each input is written as a byte that says whether it is present, its length and its
//! raw bytes, so that different lists of inputs have different keys. Instead of a
//! sensitive input, or of a variable that was set to one, its SipHash-2-4-128 under a secret key of this process is
//! written: a memo holds no credential, and a collision of 128 bits under an
//! unknown key is negligible.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::input::{Facts, Input, Single};
use crate::input_buffer::shrink;
use crate::plan::Plan;

/// The longest memo key, in bytes. Verdicts on longer inputs are not cached.
pub const MAX_KEY: usize = 1024;

/// The first byte of an input in a key.
const PLAIN: u8 = 1;
const MAC: u8 = 2;

/// Writes memo keys. The buffers are reused for each key.
#[derive(Debug)]
pub(crate) struct KeyWriter {
    mac: SipHasher24,
    key: Vec<u8>,
    secret: Vec<u8>,
}

impl KeyWriter {
    pub(crate) fn new(mac_key: &[u8; 16]) -> Self {
        Self {
            mac: SipHasher24::new_with_key(mac_key),
            key: Vec::new(),
            secret: Vec::new(),
        }
    }

    /// Writes the key of an exchange. `None` if it is longer than [`MAX_KEY`], or if a
    /// sensitive input has several values, for which no verdict is ever remembered.
    pub(crate) fn write(&mut self, plan: &Plan, facts: &dyn Facts) -> Option<&[u8]> {
        let Self { mac, key, secret } = self;
        key.clear();
        for (input, &sensitive) in plan.inputs.iter().zip(&plan.sensitive) {
            if *input == Input::Now {
                continue;
            }
            let start = key.len();
            key.extend_from_slice(&[0; 5]);
            let sensitive = sensitive
                || (matches!(input, Input::Variable(_) | Input::Lookup(_))
                    && facts.is_secret(input));
            let present = if sensitive {
                secret.clear();
                let single = facts.single(input, secret);
                if single == Single::Present {
                    let mut mac = *mac;
                    mac.write(secret);
                    key.extend_from_slice(&mac.finish128().as_bytes());
                }
                shrink(secret);
                if single == Single::Conflicting {
                    return None;
                }
                single == Single::Present
            } else {
                facts.input(input, key)
            };
            if key.len() > MAX_KEY {
                shrink(key);
                return None;
            }
            let length = u32::try_from(key.len().saturating_sub(start + 5)).unwrap_or(u32::MAX);
            if let Some(head) = key.get_mut(start..start + 5)
                && let Some((flag, size)) = head.split_first_mut()
            {
                *flag = match (present, sensitive) {
                    (false, _) => 0,
                    (true, false) => PLAIN,
                    (true, true) => MAC,
                };
                size.copy_from_slice(&length.to_le_bytes());
            }
        }
        Some(key)
    }
}

/// An input as it stands in a memo key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPart {
    /// The exchange does not have it.
    Absent,
    /// Its value.
    Plain(Vec<u8>),
    /// The keyed MAC of a sensitive value.
    Mac(Vec<u8>),
}

impl KeyPart {
    /// The parts of a key that was written for this plan, each with its input.
    pub(crate) fn all(plan: &Plan, key: &[u8]) -> Vec<(Input, Self)> {
        let mut rest = key;
        let mut next = || {
            let (head, value) = rest.split_at_checked(5)?;
            let (flag, size) = head.split_first()?;
            let size = u32::from_le_bytes(size.try_into().ok()?);
            let (value, behind) = value.split_at_checked(usize::try_from(size).ok()?)?;
            rest = behind;
            Some(match *flag {
                PLAIN => Self::Plain(value.to_vec()),
                MAC => Self::Mac(value.to_vec()),
                _ => Self::Absent,
            })
        };
        let inputs = plan.inputs.iter();
        inputs
            .filter(|input| **input != Input::Now)
            .map_while(|input| Some((input.clone(), next()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;

    use super::*;
    use crate::client::ClientKey;

    struct Map(HashMap<Input, Vec<u8>>);

    impl Facts for Map {
        fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
            self.0.get(input).is_some_and(|value| {
                out.extend_from_slice(value);
                true
            })
        }

        fn client(&self) -> ClientKey {
            ClientKey::default()
        }
    }

    fn inputs() -> Vec<Input> {
        vec![
            Input::Method,
            Input::Header("authorization".into()),
            Input::Path,
        ]
    }

    fn key(values: &[Option<Vec<u8>>]) -> Vec<u8> {
        let plan = Plan::new(inputs(), Vec::new(), &[]).unwrap();
        let facts = inputs()
            .into_iter()
            .zip(values)
            .filter_map(|(input, value)| Some((input, value.clone()?)))
            .collect();
        KeyWriter::new(&[7; 16])
            .write(&plan, &Map(facts))
            .unwrap()
            .to_vec()
    }

    #[test]
    fn absent_differs_from_empty_and_boundaries_count() {
        let some = |text: &str| Some(text.as_bytes().to_vec());
        let values = [
            [None, None, None],
            [some(""), None, None],
            [None, some(""), None],
            [some("ab"), None, some("c")],
            [some("a"), None, some("bc")],
            [some("a"), some("x"), some("bc")],
            [some("a"), some("y"), some("bc")],
        ];
        let keys: HashSet<_> = values.iter().map(|v| key(v)).collect();
        assert_eq!(keys.len(), values.len());
    }

    #[test]
    fn a_key_can_be_read() {
        let plan = Plan::new(inputs(), Vec::new(), &[]).unwrap();
        let written = key(&[None, Some(b"Bearer hunter2".to_vec()), Some(b"/a".to_vec())]);
        let parts = KeyPart::all(&plan, &written);
        let [method, credential, path] = &parts[..] else {
            panic!("{parts:?}");
        };
        assert_eq!(method, &(Input::Method, KeyPart::Absent));
        assert!(matches!(&credential.1, KeyPart::Mac(mac) if mac.len() == 16));
        assert_eq!(path, &(Input::Path, KeyPart::Plain(b"/a".to_vec())));
    }

    #[test]
    fn a_secret_is_not_in_the_key() {
        let written = key(&[None, Some(b"Bearer hunter2".to_vec()), None]);
        assert!(!written.windows(7).any(|window| window == b"hunter2"));
        assert_eq!(written.len(), 3 * 5 + 16);
    }

    /// A variable is as secret as what it was set to.
    #[test]
    fn a_secret_in_a_variable_is_not_in_the_key() {
        struct Variable(bool);
        impl Facts for Variable {
            fn input(&self, _: &Input, out: &mut Vec<u8>) -> bool {
                out.extend_from_slice(b"hunter2");
                true
            }

            fn is_secret(&self, _: &Input) -> bool {
                self.0
            }

            fn client(&self) -> ClientKey {
                ClientKey::default()
            }
        }
        let inputs = vec![Input::Variable("src.v".into()), Input::Path];
        let plan = Plan::new(inputs, Vec::new(), &[]).unwrap();
        for is_secret in [false, true] {
            let mut writer = KeyWriter::new(&[7; 16]);
            let key = writer.write(&plan, &Variable(is_secret)).unwrap().to_vec();
            let parts = KeyPart::all(&plan, &key);
            assert_eq!(matches!(parts[0].1, KeyPart::Mac(_)), is_secret);
            assert_eq!(parts[1].1, KeyPart::Plain(b"hunter2".to_vec()));
        }
    }

    /// A request with two values must not find the verdict about one of them.
    #[test]
    fn there_is_no_key_of_conflicting_values() {
        struct Conflict;
        impl Facts for Conflict {
            fn input(&self, _: &Input, _: &mut Vec<u8>) -> bool {
                false
            }

            fn single(&self, _: &Input, out: &mut Vec<u8>) -> Single {
                out.extend_from_slice(b"first");
                Single::Conflicting
            }

            fn client(&self) -> ClientKey {
                ClientKey::default()
            }
        }
        let field = vec![Input::Header("x-key".into())];
        for (sensitive, has_key) in [(&[0][..], false), (&[], true)] {
            let plan = Plan::new(field.clone(), Vec::new(), sensitive).unwrap();
            let mut writer = KeyWriter::new(&[0; 16]);
            assert_eq!(writer.write(&plan, &Conflict).is_some(), has_key);
        }
    }

    #[test]
    fn now_is_left_out_and_long_keys_are_refused() {
        let plan = Plan::new(vec![Input::Now], Vec::new(), &[]).unwrap();
        let mut writer = KeyWriter::new(&[0; 16]);
        assert_eq!(writer.write(&plan, &Map(HashMap::new())), Some(&[][..]));
        let plan = Plan::new(vec![Input::Path], Vec::new(), &[]).unwrap();
        for (length, kept) in [(MAX_KEY - 5, true), (MAX_KEY - 4, false)] {
            let facts = Map(HashMap::from([(Input::Path, vec![b'a'; length])]));
            assert_eq!(writer.write(&plan, &facts).is_some(), kept, "{length}");
        }
    }

    #[test]
    fn unusually_large_inputs_leave_no_memory_behind() {
        for sensitive in [&[][..], &[0]] {
            let plan = Plan::new(vec![Input::Path], Vec::new(), sensitive).unwrap();
            let facts = Map(HashMap::from([(Input::Path, vec![b'a'; 1 << 20])]));
            let mut writer = KeyWriter::new(&[0; 16]);
            assert_eq!(writer.write(&plan, &facts).is_some(), !sensitive.is_empty());
            assert!(writer.key.capacity() + writer.secret.capacity() < 2 * MAX_KEY);
        }
    }

    proptest! {
        /// Different inputs have different keys, and equal inputs have equal keys.
        #[test]
        fn is_injective(
            a in prop::collection::vec(prop::option::of(prop::collection::vec(0_u8..3, 0..4)), 3),
            b in prop::collection::vec(prop::option::of(prop::collection::vec(0_u8..3, 0..4)), 3),
        ) {
            prop_assert_eq!(key(&a) == key(&b), a == b);
        }
    }
}
