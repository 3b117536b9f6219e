//! `janua:policy/seal`.

use janua_secrets::{Scope, SealError};
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::capabilities::janua::policy::seal::{self, Error};
use crate::state::HostState;

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> Result<()> {
    seal::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

impl seal::Host for HostState {
    /// The text is another one each time, so a verdict with it is not reused.
    fn seal(
        &mut self,
        secret: String,
        purpose: String,
        plain: Vec<u8>,
    ) -> Result<std::result::Result<String, Error>> {
        let Some((secret, policy)) = self.secret(&secret) else {
            return Ok(Err(Error::UnknownSecret));
        };
        self.mark_impure();
        let scope = Scope {
            policy: &policy,
            purpose: &purpose,
        };
        Ok(secret.seal(scope, &plain).map_err(error))
    }

    fn open(
        &mut self,
        secret: String,
        purpose: String,
        sealed: String,
    ) -> Result<std::result::Result<Option<Vec<u8>>, Error>> {
        let Some((secret, policy)) = self.secret(&secret) else {
            return Ok(Err(Error::UnknownSecret));
        };
        let scope = Scope {
            policy: &policy,
            purpose: &purpose,
        };
        Ok(secret.open(scope, &sealed).map_err(error))
    }
}

fn error(error: SealError) -> Error {
    match error {
        SealError::WrongKey => Error::WrongKey,
        SealError::TooLarge => Error::TooLarge,
        SealError::Unavailable => Error::Unavailable("no random numbers".to_owned()),
    }
}
