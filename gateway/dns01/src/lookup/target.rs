//! Follows aliases.

use hickory_proto::rr::{Name, RecordType};

use super::Lookup;
use crate::error::Error;

/// More is a mistake. Resolvers follow eight to sixteen.
const STEPS: usize = 8;

impl Lookup {
    /// The name at the end of the aliases.
    ///
    /// Each step asks for the CNAME record alone: a question for TXT would be
    /// answered with all steps at once, but not by all resolvers if there is
    /// nothing at the end.
    pub(super) async fn follow(&self, name: Name) -> Result<Name, Error> {
        let mut seen = vec![name.clone()];
        let mut last = name;
        loop {
            let response = self.resolve(&last, RecordType::CNAME).await?;
            let Some(next) = response.alias_of(&last) else {
                return Ok(last);
            };
            if seen.contains(next) {
                let circle = format!("The aliases of `{last}` go round in a circle.");
                return Err(Error::new(circle));
            }
            if seen.len() > STEPS {
                let first = seen.first().unwrap_or(&last);
                let long = format!("`{first}` is an alias of more than {STEPS} others.");
                return Err(Error::new(long));
            }
            last = next.clone();
            seen.push(last.clone());
        }
    }
}
