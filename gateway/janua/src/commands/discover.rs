//! `janua discover`.

use std::path::Path;

use janua_discover::{Docker, Target};

use super::{CommandResult, Output};
use crate::cli;

/// Finds containers, until the process is stopped.
pub(super) fn docker(options: cli::Docker) -> CommandResult {
    let docker = Docker {
        targets: targets(&options)?,
        socket: options.socket,
        prefix: options.label_prefix,
        network: options.network,
    };
    let _diagnostics =
        janua_telemetry::diagnostics::init("info", false).map_err(Output::failure)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Output::failure)?;
    runtime.block_on(async {
        match options.once {
            true => janua_discover::write_once(&docker)
                .await
                .map_err(Output::failure),
            false => {
                janua_discover::follow(&docker).await;
                Ok(())
            }
        }
    })?;
    Ok(Output {
        person: String::new(),
        json: serde_json::Value::Null,
    })
}

/// The files, and the upstreams whose endpoints they have.
fn targets(options: &cli::Docker) -> Result<Vec<Target>, Output> {
    if options.upstream.is_some() && options.write.len() > 1 {
        return Err(Output::failure(
            "`--upstream` is for one file: each of several has the name of its upstream",
        ));
    }
    let target = |file: &Path| {
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        let upstream = options.upstream.as_deref().or(stem).map(str::to_owned);
        let upstream = upstream
            .ok_or_else(|| Output::failure(format!("`{}` does not name a file", file.display())))?;
        Ok(Target {
            upstream,
            file: file.to_owned(),
        })
    };
    options.write.iter().map(|file| target(file)).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::targets;
    use crate::cli::{Cli, Command, Discover};

    fn named(line: &str) -> Result<Vec<String>, String> {
        let Command::Discover(Discover::Docker(docker)) =
            Cli::try_parse_from(line.split(' ')).unwrap().command
        else {
            panic!("{line}");
        };
        let targets = targets(&docker).map_err(|output| output.person)?;
        let named = targets.into_iter();
        Ok(named
            .map(|it| format!("{}={}", it.upstream, it.file.display()))
            .collect())
    }

    #[test]
    fn a_file_has_the_name_of_its_upstream_unless_it_is_named() {
        let named = |options: &str| named(&format!("janua discover docker {options}"));
        assert_eq!(
            named("--write /etc/janua/app.toml --write api.v1.json").unwrap(),
            ["app=/etc/janua/app.toml", "api.v1=api.v1.json"]
        );
        assert_eq!(
            named("--write x.toml --upstream app").unwrap(),
            ["app=x.toml"]
        );
        named("--write a --write b --upstream app").unwrap_err();
        named("--write /").unwrap_err();
    }
}
