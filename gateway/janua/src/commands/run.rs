//! `janua run`.

use super::{CommandResult, Output};
use crate::cli::Run;

pub(super) fn run(run: Run) -> CommandResult {
    match crate::run::run(&run.config, run.admin) {
        // What there was to report is in the log.
        Ok(()) => Ok(Output {
            person: String::new(),
            json: serde_json::Value::Null,
        }),
        // Diagnostics with positions need no prefix.
        Err(why) if why.contains('\n') => Err(Output {
            person: why.trim_end().to_owned(),
            json: serde_json::Value::Null,
        }),
        Err(why) => Err(Output::failure(why)),
    }
}
