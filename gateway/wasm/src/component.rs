//! A loaded component: compiled, with its imports and exports checked and its
//! description read.

use std::fmt;
use std::time::Duration;

use wasmtime::component::types::ComponentItem;

use crate::bindings::v0_1;
use crate::engine::Runtime;
use crate::fingerprint::hex;
use crate::instance::Instance;
use crate::log::Speaker;
use crate::said::shown;
use crate::state::HostState;

/// The prefix of the contract's interfaces in the names of imports and exports.
const PACKAGE: &str = "janua:policy/";
/// The version of the contract that this gateway supports.
const CONTRACT_VERSION: &str = "0.1";
/// The limits of a call of `describe`.
const DESCRIBE_MEMORY: usize = 256 * 1024 * 1024;
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(1);

/// A component, ready to be configured. Shared by all of its configurations.
pub struct Component {
    hash: [u8; 32],
    size: usize,
    contract: String,
    imports: Vec<String>,
    description: Description,
    pub(crate) pre: v0_1::PolicyPre<HostState>,
}

/// A component's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Its purpose, in one sentence.
    pub summary: String,
    /// The JSON Schema of its configuration.
    pub config_schema: Option<String>,
}

/// Why a file cannot be loaded as a policy component. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// It is not WebAssembly.
    NotWasm,
    /// It is a core module.
    CoreModule,
    /// It is not valid or cannot be compiled. Holds wasmtime's message.
    Invalid(String),
    /// It uses features of WebAssembly that policies may not use. Holds their names.
    Features(Vec<String>),
    /// Its structure is above a limit. Holds which one.
    Structure(String),
    /// The process that compiles components has refused it. Holds its message.
    Refused(String),
    /// That process has ended without a result, most often because it reached a limit. Holds
    /// what happened and what to do.
    Died(String),
    /// It was not compiled, because the gateway stops.
    Stopped,
    /// It was not compiled, because nobody waits for it any more.
    Abandoned,
    /// It was built for another version of the contract.
    Version {
        /// The version that it was built for.
        built_for: String,
        /// Whether that is newer than this gateway.
        newer: bool,
    },
    /// It does not export `janua:policy/policies`.
    NoPolicies,
    /// It imports an interface of the contract that this version does not support.
    NotSupported(String),
    /// It imports an interface that this gateway does not provide.
    UnknownImport(String),
    /// Its imports or exports have the right names and other types. Holds wasmtime's
    /// message.
    Mismatch(String),
    /// `describe` failed.
    Describe(String),
}

impl Component {
    pub(crate) fn load(runtime: &Runtime, bytes: &[u8], hash: [u8; 32]) -> Result<Self, LoadError> {
        check_preamble(bytes)?;
        let compiled = runtime.compile(bytes)?;
        let ty = compiled.component_type();
        let engine = runtime.engine();
        let imports: Vec<String> = ty
            .imports(engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let exports: Vec<String> = ty
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
            .map(|(name, _)| name.to_owned())
            .collect();
        let contract = check_exports(&exports)?;
        imports.iter().try_for_each(|name| check_import(name))?;
        let pre = runtime
            .link(&compiled)
            .map_err(|error| LoadError::Mismatch(format!("{error:#}")))?;
        let caller = runtime.caller();
        let description = Instance::new(
            &pre,
            Speaker::new("(describe)".into()),
            DESCRIBE_MEMORY,
            &caller,
            DESCRIBE_DEADLINE,
        )
        .and_then(|mut instance| {
            let description = instance.describe(&caller, DESCRIBE_DEADLINE);
            description.map_err(|failure| instance.explain(failure))
        })
        .map_err(|failure| LoadError::Describe(failure.to_string()))?;
        Ok(Self {
            hash,
            size: bytes.len(),
            contract,
            imports,
            description,
            pre,
        })
    }

    /// The SHA-256 of its bytes.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The version of the contract that it was built for, for example `0.1.0`.
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// The full names of its imports.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Its description of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

impl LoadError {
    /// The error with names and messages of the component escaped.
    pub(crate) fn shown(self) -> Self {
        match self {
            Self::NotWasm
            | Self::CoreModule
            | Self::NoPolicies
            | Self::Features(_)
            | Self::Died(_)
            | Self::Stopped
            | Self::Abandoned => self,
            Self::Invalid(why) => Self::Invalid(shown(&why)),
            Self::Structure(why) => Self::Structure(shown(&why)),
            Self::Refused(why) => Self::Refused(shown(&why)),
            Self::Version { built_for, newer } => Self::Version {
                built_for: shown(&built_for),
                newer,
            },
            Self::NotSupported(name) => Self::NotSupported(shown(&name)),
            Self::UnknownImport(name) => Self::UnknownImport(shown(&name)),
            Self::Mismatch(why) => Self::Mismatch(shown(&why)),
            // It was escaped where it came from.
            Self::Describe(why) => Self::Describe(why),
        }
    }
}

/// Checks the first bytes of a file.
pub(crate) fn check_preamble(bytes: &[u8]) -> Result<(), LoadError> {
    // The magic number, then version and layer: 1 and 0 in a module, any and 1 in a
    // component.
    match bytes.split_first_chunk::<8>() {
        Some(([0, b'a', b's', b'm', _, _, 1, 0], _)) => Ok(()),
        Some(([0, b'a', b's', b'm', 1, 0, 0, 0], _)) => Err(LoadError::CoreModule),
        _ => Err(LoadError::NotWasm),
    }
}

/// Finds the exported interface and returns its version.
pub(crate) fn check_exports(exports: &[String]) -> Result<String, LoadError> {
    let version = exports
        .iter()
        .filter_map(|name| name.strip_prefix(PACKAGE))
        .find_map(|rest| rest.strip_prefix("policies@"))
        .ok_or(LoadError::NoPolicies)?;
    check_version(version)?;
    Ok(version.to_owned())
}

fn check_version(version: &str) -> Result<(), LoadError> {
    let number = |n: usize| {
        version
            .split(['.', '-'])
            .nth(n)
            .and_then(|part| part.parse::<u32>().ok())
    };
    match (number(0), number(1)) {
        (Some(0), Some(1)) => Ok(()),
        (major, minor) => Err(LoadError::Version {
            built_for: version.to_owned(),
            newer: (major, minor) > (Some(0), Some(1)),
        }),
    }
}

/// Checks that an import is one that policies may have.
pub(crate) fn check_import(name: &str) -> Result<(), LoadError> {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    match interface.strip_prefix(PACKAGE) {
        Some(
            "values" | "subscriptions" | "effects" | "verdicts" | "log" | "signatures" | "seal"
            | "datasets",
        ) => {
            return check_version(version);
        }
        Some("key-value" | "outbound" | "passwords") => {
            check_version(version)?;
            return Err(LoadError::NotSupported(interface.to_owned()));
        }
        Some(_) => return Err(LoadError::UnknownImport(name.to_owned())),
        None => {}
    }
    let package = interface.split('/').next().unwrap_or_default();
    match package {
        "wasi:cli" | "wasi:clocks" | "wasi:filesystem" | "wasi:io" | "wasi:random"
        | "wasi:sockets"
            if version.starts_with("0.2.") =>
        {
            Ok(())
        }
        _ => Err(LoadError::UnknownImport(name.to_owned())),
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWasm => f.write_str("this is not a WebAssembly file"),
            Self::CoreModule => f.write_str(
                "this is a core WebAssembly module, not a component; build it for a component target (in Rust `--target wasm32-wasip2`), or wrap it with `wasm-tools component new`",
            ),
            Self::Invalid(why) => write!(f, "this WebAssembly component is not valid: {why}"),
            Self::Features(names) => write!(
                f,
                "this component uses {}, which policies may not use; build it without that feature of WebAssembly, as the tools of the supported languages do by default",
                names.join(", ")
            ),
            Self::Structure(why) => write!(
                f,
                "this component is larger or more nested than a policy may be: {why}; build it without what it does not need"
            ),
            Self::Refused(why) => f.write_str(why),
            Self::Died(why) => write!(f, "this component is refused: {why}"),
            Self::Stopped => f.write_str("this component was not compiled, because the gateway stops"),
            Self::Abandoned => f.write_str("this component was not compiled, because the reload was given up: whoever ordered it has left, or another one takes its place"),
            Self::Version { built_for, newer: true } => write!(
                f,
                "this component was built for janua:policy {built_for}, which is newer: this gateway supports {CONTRACT_VERSION}; update the gateway, or build the component with an older SDK"
            ),
            Self::Version { built_for, newer: false } => write!(
                f,
                "this component was built for janua:policy {built_for}, which this gateway no longer supports (it supports {CONTRACT_VERSION}); build it again with a current SDK"
            ),
            Self::NoPolicies => write!(
                f,
                "this component does not export {PACKAGE}policies@{CONTRACT_VERSION}.0, so it is not a policy; build it for the world `janua:policy/policy`"
            ),
            Self::NotSupported(interface) => write!(
                f,
                "this component imports {interface}, which is not supported by this version; build it without that import"
            ),
            Self::UnknownImport(name) => write!(
                f,
                "this component imports {name}, which is not available to policies; build it without that import, with janua:policy/log and WASI 0.2 (cli, clocks, filesystem, io, random, sockets) only"
            ),
            Self::Mismatch(why) => write!(
                f,
                "the types of this component differ from janua:policy {CONTRACT_VERSION}; build it again from the released contract: {why}"
            ),
            Self::Describe(why) => write!(
                f,
                "the component's `describe` failed, so the component is refused: {why}"
            ),
        }
    }
}

impl std::error::Error for LoadError {}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("hash", &hex(&self.hash))
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

/// Two components are equal if their bytes are.
impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newer(version: &str) -> LoadError {
        LoadError::Version {
            built_for: version.to_owned(),
            newer: true,
        }
    }

    #[test]
    fn preambles() {
        let table: &[(&[u8], Result<(), LoadError>)] = &[
            (b"\0asm\x0d\0\x01\0", Ok(())),
            (b"\0asm\x01\0\0\0", Err(LoadError::CoreModule)),
            (b"#!/bin/sh", Err(LoadError::NotWasm)),
            (b"", Err(LoadError::NotWasm)),
        ];
        for (bytes, expected) in table {
            assert_eq!(check_preamble(bytes), *expected);
        }
    }

    #[test]
    fn imports() {
        let table = [
            ("janua:policy/log@0.1.0", Ok(())),
            ("janua:policy/verdicts@0.1.3", Ok(())),
            ("janua:policy/signatures@0.1.0", Ok(())),
            ("janua:policy/seal@0.1.0", Ok(())),
            ("janua:policy/datasets@0.1.0", Ok(())),
            (
                "janua:policy/passwords@0.1.0",
                Err(LoadError::NotSupported("janua:policy/passwords".into())),
            ),
            ("janua:policy/log@0.2.0", Err(newer("0.2.0"))),
            (
                "janua:policy/key-value@0.1.0",
                Err(LoadError::NotSupported("janua:policy/key-value".into())),
            ),
            (
                "janua:policy/telepathy@0.1.0",
                Err(LoadError::UnknownImport(
                    "janua:policy/telepathy@0.1.0".into(),
                )),
            ),
            ("wasi:io/poll@0.2.6", Ok(())),
            (
                "wasi:http/outgoing-handler@0.2.0",
                Err(LoadError::UnknownImport(
                    "wasi:http/outgoing-handler@0.2.0".into(),
                )),
            ),
            (
                "wasi:io/poll@0.3.0",
                Err(LoadError::UnknownImport("wasi:io/poll@0.3.0".into())),
            ),
        ];
        for (name, expected) in table {
            assert_eq!(check_import(name), expected, "{name}");
        }
    }

    #[test]
    fn exports() {
        let check = |name: &str| check_exports(&[name.to_owned()]);
        assert_eq!(check("janua:policy/policies@0.1.7"), Ok("0.1.7".into()));
        assert_eq!(check("janua:policy/policies@0.2.0"), Err(newer("0.2.0")));
        assert_eq!(check("janua:policy/policies@1.0.0"), Err(newer("1.0.0")));
        assert_eq!(
            check("janua:policy/policies@0.0.9"),
            Err(LoadError::Version {
                built_for: "0.0.9".into(),
                newer: false
            })
        );
        assert_eq!(check("wasi:cli/run@0.2.0"), Err(LoadError::NoPolicies));
        let words = newer("0.2.0").to_string();
        assert!(words.contains("0.2.0, which is newer: this gateway supports 0.1"));
    }
}
