//! The secrets of a configuration, by their names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::content::Content;

/// The last generation that was given out, in this process.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A secret.
pub struct Secret {
    content: Content,
    generation: u64,
}

/// All secrets that policies can name.
#[derive(Debug, Default)]
pub struct Secrets(BTreeMap<Box<str>, Arc<Secret>>);

impl Secrets {
    /// The secrets of a new configuration. One with the same name and the same content as
    /// before keeps its generation.
    pub fn new(contents: impl IntoIterator<Item = (String, Content)>, before: &Self) -> Self {
        let secrets = contents.into_iter().map(|(name, content)| {
            let kept = before.get(&name);
            let secret = match kept.filter(|kept| kept.content.is_same(&content)) {
                Some(kept) => Arc::clone(kept),
                None => Arc::new(Secret {
                    content,
                    generation: LAST.fetch_add(1, Ordering::Relaxed) + 1,
                }),
            };
            (name.into(), secret)
        });
        Self(secrets.collect())
    }

    /// The secret with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Secret>> {
        self.0.get(name)
    }

    /// The generation of the secret with this name; 0 if there is none.
    pub fn generation(&self, name: &str) -> u64 {
        self.get(name).map_or(0, |secret| secret.generation)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Secret>)> {
        self.0.iter().map(|(name, secret)| (&**name, secret))
    }
}

impl Secret {
    /// A number above 0 that no other content has had in this process, under any name.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Its content.
    pub fn content(&self) -> &Content {
        &self.content
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("kind", &self.content.kind())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::Kind;

    fn table(secrets: &[(&str, &str)], before: &Secrets) -> Secrets {
        let contents = secrets.iter().map(|(name, text)| {
            let file = Zeroizing::new(text.as_bytes().to_vec());
            let content = Content::read(Kind::Raw, vec![file]).unwrap();
            ((*name).to_owned(), content)
        });
        Secrets::new(contents, before)
    }

    #[test]
    fn the_generation_changes_with_the_content_and_only_then() {
        let first = table(&[("a", "1"), ("b", "1")], &Secrets::default());
        let (a, b) = (first.generation("a"), first.generation("b"));
        assert!(a > 0 && b > 0 && a != b);

        let second = table(&[("a", "1"), ("b", "2")], &first);
        assert_eq!(second.generation("a"), a);
        assert!(second.generation("b") > b);

        // Back to what it was: verdicts of that time are not there any more.
        let third = table(&[("b", "1")], &second);
        assert!(third.generation("b") > second.generation("b"));
        assert_eq!(third.generation("a"), 0);
    }
}
