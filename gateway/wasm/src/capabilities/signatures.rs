//! `janua:policy/signatures`.
//!
//! A call is bounded by what a host call may hand over (1 MiB) and by the number of keys that
//! are tried; the policy's deadline applies when it returns.

use janua_secrets::{Algorithm, WrongKey};
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use crate::bindings::capabilities::janua::policy::signatures::{self, Error, Validity};
use crate::state::HostState;

pub(super) fn add_to_linker(linker: &mut Linker<HostState>) -> Result<()> {
    signatures::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

impl signatures::Host for HostState {
    fn verify(
        &mut self,
        secret: String,
        algorithm: String,
        key_id: Option<String>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<std::result::Result<Validity, Error>> {
        let Some((secret, _)) = self.secret(&secret) else {
            return Ok(Err(Error::UnknownSecret));
        };
        let Some(algorithm) = Algorithm::named(&algorithm) else {
            return Ok(Err(Error::UnknownAlgorithm));
        };
        let validity = secret.verify(algorithm, key_id.as_deref(), &message, &signature);
        Ok(match validity {
            Ok(janua_secrets::Validity::Valid) => Ok(Validity::Valid),
            Ok(janua_secrets::Validity::Invalid) => Ok(Validity::Invalid),
            Ok(janua_secrets::Validity::UnknownKey) => Ok(Validity::UnknownKey),
            Err(WrongKey) => Err(Error::WrongKey),
        })
    }

    /// A verdict with a signature that is another one each time is not reused.
    fn sign(
        &mut self,
        secret: String,
        algorithm: String,
        message: Vec<u8>,
    ) -> Result<std::result::Result<Vec<u8>, Error>> {
        let Some((secret, _)) = self.secret(&secret) else {
            return Ok(Err(Error::UnknownSecret));
        };
        let Some(algorithm) = Algorithm::named(&algorithm) else {
            return Ok(Err(Error::UnknownAlgorithm));
        };
        if algorithm.is_randomized() {
            self.mark_impure();
        }
        let signed = secret.sign(algorithm, &message);
        Ok(signed.map_err(|WrongKey| Error::WrongKey))
    }
}
