//! A file of users: `htpasswd`.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::content::Unusable;

/// The beginnings of hashes that are slow on purpose: bcrypt, Argon2, scrypt, yescrypt, and
/// those of SHA-2 crypt.
const SLOW: [&str; 10] = [
    "$2a$",
    "$2b$",
    "$2y$",
    "$argon2i$",
    "$argon2id$",
    "$scrypt$",
    "$7$",
    "$y$",
    "$5$",
    "$6$",
];

/// Users with the hashes of their passwords.
pub(crate) struct Users(BTreeMap<Box<str>, Zeroizing<String>>);

impl Users {
    /// Reads lines of `user:hash`. Empty lines and comments (`#`) are skipped.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Unusable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unusable::new("it is not UTF-8"))?;
        let mut users = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| Unusable::new(format!("line {number}: {why}"));
            let (user, hash) = line
                .split_once(':')
                .filter(|(user, _)| !user.is_empty())
                .ok_or_else(|| wrong("it is not `user:hash`"))?;
            if !SLOW.iter().any(|start| hash.starts_with(start)) {
                return Err(wrong(
                    "the hash is none that protects a password: make it with `htpasswd -B` (bcrypt)",
                ));
            }
            let hash = Zeroizing::new(hash.to_owned());
            if users.insert(user.into(), hash).is_some() {
                return Err(wrong("this user is there twice"));
            }
        }
        match users.is_empty() {
            true => Err(Unusable::new("it has no users")),
            false => Ok(Self(users)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_users() {
        let good = "# staff\n\nann:$2y$05$abc\r\nbob:$argon2id$v=19$m=65536,t=3,p=4$x$y\n";
        assert_eq!(Users::parse(good.as_bytes()).unwrap().len(), 2);
        for (file, why) in [
            ("", "it has no users"),
            ("# nobody\n", "it has no users"),
            ("ann\n", "line 1: it is not `user:hash`"),
            (":$2y$05$abc\n", "line 1: it is not `user:hash`"),
            ("\nann:{SHA}abc\n", "line 2: the hash is none that protects"),
            ("ann:$apr1$a$b", "line 1: the hash is none that protects"),
            ("ann:secret", "line 1: the hash is none that protects"),
            (
                "ann:$2y$05$a\nann:$2y$05$b",
                "line 2: this user is there twice",
            ),
            ("\u{fffd}:", "line 1: the hash is none"),
        ] {
            let error = Users::parse(file.as_bytes()).map(|_| ()).unwrap_err();
            assert!(error.to_string().starts_with(why), "{file:?}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
        assert!(Users::parse(b"\xff:$2y$05$a").is_err());
    }
}
