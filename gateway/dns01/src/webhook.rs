//! A service of the operator's that changes a zone, called over HTTP.

use serde_json::Value;

use crate::error::Error;

/// A service that adds and removes TXT records.
#[derive(Debug)]
pub struct Webhook;

impl Webhook {
    /// Opens no connection yet.
    #[must_use]
    pub fn new(_url: String, _token: Option<String>) -> Self {
        Self
    }

    /// Adds a TXT record. Blocks.
    ///
    /// # Errors
    /// If the service refuses or does not answer.
    pub fn present(
        &self,
        _domain: &str,
        _name: &str,
        _value: &str,
    ) -> Result<Option<Value>, Error> {
        Err(Error::new("unfinished"))
    }

    /// Removes it. Blocks.
    ///
    /// # Errors
    /// If the service refuses or does not answer.
    pub fn cleanup(
        &self,
        _domain: &str,
        _name: &str,
        _value: &str,
        _record: Option<&Value>,
    ) -> Result<(), Error> {
        Err(Error::new("unfinished"))
    }
}
