//! Calls the target of a route. Each kind of target is a case of
//! [`crate::snapshot::Target`] and has a line here.

use janua_http::Failure;
use janua_http::failure::Kind;

use crate::answer::Answer;
use crate::cached;
use crate::choice;
use crate::course::Course;
use crate::downstream::Downstream;
use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::files;
use crate::forward;
use crate::receive;
use crate::redirect;
use crate::rewrite;
use crate::snapshot::Target;

/// Gets the answer of the target.
///
/// # Errors
/// The failure of the target, or that the client has gone away.
pub(crate) async fn answer(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    matched: &Matched,
) -> Result<Answer, Failure> {
    let route = matched.route();
    match &route.target {
        Target::Upstream(_) | Target::Split(_) => {
            let to = choice::choose(exchange, matched)?;
            let mut course = Course::new(to, matched).ok_or(Kind::Internal)?;
            receive::allow_pauses(exchange, client, &course);
            if let Some(rewrite) = &to.rewrite {
                rewrite::rewrite(exchange, matched, rewrite, &mut course)?;
            }
            if route.caches {
                return Box::pin(cached::cached(exchange, client, &course)).await;
            }
            forward::forward(exchange, client, &course).await
        }
        Target::Files(tree) => Box::pin(files::files(exchange, tree)).await,
        Target::Respond(fixed) => Ok(Answer::made(exchange, fixed.into(), AnsweredBy::Gateway)),
        Target::Redirect(redirect) => {
            let redirect = redirect::redirect(exchange, redirect)?;
            Ok(Answer::made(exchange, redirect, AnsweredBy::Gateway))
        }
    }
}
