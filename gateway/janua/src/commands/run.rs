//! `janua run`.

use super::{Answer, Outcome};
use crate::cli::Run;

pub(super) fn run(run: Run) -> Outcome {
    match crate::run::run(&run.config, run.admin) {
        // It has said in its log what there was to say.
        Ok(()) => Ok(Answer {
            person: String::new(),
            json: serde_json::Value::Null,
        }),
        // Diagnostics with their places need no further word.
        Err(why) if why.contains('\n') => Err(Answer {
            person: why.trim_end().to_owned(),
            json: serde_json::Value::Null,
        }),
        Err(why) => Err(Answer::failure(why)),
    }
}
