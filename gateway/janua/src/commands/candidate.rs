//! A component that somebody considers using: read, loaded, and configured as in the gateway.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use janua_wasm::{
    Component, ConfigureError, FileError, MissingGrants, Policy, PolicySpec, Runtime,
    RuntimeOptions, read_component,
};
use serde_json::Value;

use crate::bundled;
use crate::compiler::compiler;

/// A component of a file, or one that is bundled.
pub(super) struct Candidate {
    pub(super) runtime: Runtime,
    pub(super) component: Arc<Component>,
    is_bundled: bool,
}

/// A policy, and the grants that it has got without anybody having given them.
pub(super) struct Configured {
    pub(super) policy: Arc<Policy>,
    pub(super) assumed: Option<MissingGrants>,
}

impl Candidate {
    /// Loads a component file, or the bundled component of this name. Nothing is kept.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn load(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let (bytes, is_bundled) = match read_component(file) {
            Ok(bytes) => (bytes, false),
            Err(FileError::Refused(why)) => return Err(format!("{shown}: {why}")),
            Err(FileError::Io(error)) => file
                .to_str()
                .and_then(bundled::component)
                .map(|bytes| (bytes.to_vec(), true))
                .ok_or_else(|| format!("cannot read {shown}: {error}"))?,
        };
        let runtime = runtime()?;
        let component = runtime
            .load(&bytes)
            .map_err(|why| format!("{shown}: {why}"))?;
        Ok(Self {
            runtime,
            component,
            is_bundled,
        })
    }

    /// Configures it with these grants, or with none given with all that it needs.
    pub(super) fn configure(
        &self,
        config: &str,
        grants: &[String],
    ) -> Result<Configured, ConfigureError> {
        let name = self.component.description().name.clone();
        let mut spec = PolicySpec {
            config: config.to_owned(),
            bundled: self.is_bundled,
            grants: grants.to_vec(),
            sample: 0,
            ..PolicySpec::new(name, Arc::clone(&self.component))
        };
        match self.runtime.configure(spec.clone()) {
            Err(ConfigureError::Grant(missing)) if grants.is_empty() => {
                spec.grants.clone_from(&missing.missing);
                Ok(Configured {
                    policy: self.runtime.configure(spec)?,
                    assumed: Some(missing),
                })
            }
            configured => configured.map(|policy| Configured {
                policy,
                assumed: None,
            }),
        }
    }

    /// Whether it comes with the gateway.
    pub(super) fn is_bundled(&self) -> bool {
        self.is_bundled
    }
}

/// Why a component cannot be configured.
pub(super) fn refusal(error: &ConfigureError) -> String {
    match error {
        ConfigureError::Refused(why) => format!("the configuration is refused: {why}"),
        other => other.to_string(),
    }
}

/// A runtime that keeps nothing.
pub(super) fn runtime() -> Result<Runtime, String> {
    Runtime::new(RuntimeOptions {
        cache_dir: None,
        compiler: compiler(),
        ..RuntimeOptions::default()
    })
    .map_err(|error| error.to_string())
}

/// The configuration that an argument states: itself, or the content of the file behind an
/// `@`.
///
/// # Errors
/// It is neither JSON nor a readable file.
pub(super) fn config(argument: Option<&str>) -> Result<String, String> {
    let Some(argument) = argument else {
        return Ok("{}".to_owned());
    };
    let Some(file) = argument.strip_prefix('@') else {
        let value = serde_json::from_str::<Value>(argument);
        let value = value.map_err(|error| {
            format!("--config is not JSON ({error}); write @FILE for the content of a file")
        })?;
        return Ok(value.to_string());
    };
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let value = serde_json::from_str::<Value>(&text);
    let value = value.map_err(|error| format!("{file} is not JSON: {error}"))?;
    Ok(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::config;

    #[test]
    fn a_configuration_is_json_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            format!("@{}", path.display())
        };
        for (argument, expected) in [
            (None, Ok("{}")),
            (Some("{ \"a\": [1] }".to_owned()), Ok("{\"a\":[1]}")),
            (Some(file("a.json", "{ \"a\": 1 }")), Ok("{\"a\":1}")),
            (Some("a = 1".to_owned()), Err("is not JSON")),
            (Some(file("b.json", "a = 1")), Err("b.json is not JSON")),
            (
                Some("@nowhere.json".to_owned()),
                Err("cannot read nowhere.json"),
            ),
        ] {
            let found = config(argument.as_deref());
            match expected {
                Ok(expected) => assert_eq!(found.as_deref(), Ok(expected)),
                Err(expected) => assert!(found.unwrap_err().contains(expected)),
            }
        }
    }
}
