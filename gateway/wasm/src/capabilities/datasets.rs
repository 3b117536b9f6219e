//! `janua:policy/datasets`.
//!
//! A call is bounded by the length of the key; the policy's deadline applies when it returns.

use janua_datasets::Found;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::capabilities::janua::policy::datasets::{self, Error};
use crate::state::HostState;

/// The longest key, in bytes: as long as a request head is by default. Regular expressions
/// take time in proportion to it.
const MAX_KEY: usize = 32 * 1024;

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> Result<()> {
    datasets::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

impl datasets::Host for HostState {
    fn find(
        &mut self,
        dataset: String,
        key: String,
        member: String,
    ) -> Result<std::result::Result<Option<String>, Error>> {
        let Some(dataset) = self.dataset(&dataset) else {
            return Ok(Err(Error::UnknownDataset));
        };
        if key.len() > MAX_KEY {
            return Ok(Err(Error::BadKey));
        }
        let mut value = Vec::new();
        Ok(match dataset.find(key.as_bytes(), &member, &mut value) {
            Found::NoAddress => Err(Error::BadKey),
            Found::Nothing => Ok(None),
            // Datasets contain text alone.
            Found::Value => Ok(String::from_utf8(value).ok()),
        })
    }
}
