//! Proves control of a name: chooses a challenge, answers it, and waits for the authority.

use instant_acme::{AuthorizationStatus, ChallengeStatus, ChallengeType, Order, OrderStatus};

use super::{PATIENCE, Wish};
use crate::accounts::Opened;
use crate::answers::{Answered, challenge_type};
use crate::delegation::domain;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::persist;
use crate::record::{self, PendingOrder, PublishedRecord};
use crate::settings::Challenge;

impl Wish<'_> {
    /// Proves control of the name.
    pub(super) async fn prove(
        &self,
        desk: &Desk,
        opened: &Opened,
        order: &mut Order,
        answered: &mut Vec<Answered>,
        pending: &mut PendingOrder,
        key: &str,
    ) -> Result<(), Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| Failure::of(&error))?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let offered = authorization.challenges.iter();
            let offered: Vec<_> = offered.map(|one| one.r#type.clone()).collect();
            let persistent = ChallengeType::Unknown(persist::DNS_PERSIST_01.to_owned());
            if offered.contains(&persistent)
                && persist::is_there(desk, opened, self.authority, self.name).await
            {
                if let Some(mut handle) = authorization.challenge(persistent) {
                    let ready = handle.set_ready().await;
                    ready.map_err(|error| Failure::of(&error))?;
                }
                continue;
            }
            let challenge = self.choose(&offered)?;
            let Some(mut handle) = authorization.challenge(challenge_type(challenge)) else {
                continue;
            };
            let authorized = handle.key_authorization();
            match challenge {
                Challenge::Http01 => {
                    answered.push(Answered::http(&desk.door, &handle.token, &authorized));
                }
                Challenge::TlsAlpn01 => {
                    answered.push(Answered::tls_alpn(&desk.door, self.name, &authorized)?);
                }
                Challenge::Dns01 => {
                    let solver = desk.solver(self.authority).await?;
                    let value = authorized.dns_value();
                    let published = solver.present(domain(self.name), &value).await?;
                    // A gateway that is killed now must find the record again.
                    pending.records.push(published.clone());
                    record::write(&*desk.store, key, pending)?;
                    solver.wait(&published).await?;
                }
            }
            let ready = handle.set_ready().await;
            ready.map_err(|error| Failure::of(&error))?;
        }
        let polled = order.poll_ready(&PATIENCE).await;
        match polled {
            Ok(OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid) => Ok(()),
            Ok(_) => Err(refusal(order).await),
            Err(error) => Err(Failure::of(&error)),
        }
    }

    /// The challenge to answer: the first of the operator's that the authority offers, in
    /// an order that changes with each failure.
    fn choose(&self, offered: &[ChallengeType]) -> Result<Challenge, Failure> {
        let known = &self.authority.challenges;
        let usable: Vec<Challenge> = known
            .iter()
            .copied()
            .filter(|&challenge| offered.contains(&challenge_type(challenge)))
            .collect();
        let turn = self.turn.checked_rem(usable.len()).unwrap_or_default();
        usable.get(turn).copied().ok_or_else(|| {
            Failure::new(
                "settings",
                format_args!(
                    "the authority offers none of the challenges that are allowed here for \
                     `{}`: it offers {offered:?}",
                    self.name
                ),
            )
        })
    }

    /// Removes records from the DNS. What cannot be removed is only logged: it does no harm.
    pub(super) async fn withdraw(&self, desk: &Desk, records: &[PublishedRecord]) {
        for published in records {
            let withdrawn = match desk.solver(self.authority).await {
                Ok(solver) => solver.withdraw(published).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = withdrawn {
                tracing::warn!(
                    name = published.name,
                    "a record of DNS-01 could not be removed: {failure}"
                );
            }
        }
    }
}

/// Why an order has become invalid: what the authority says about its challenges.
async fn refusal(order: &mut Order) -> Failure {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        let failed = state
            .challenges
            .iter()
            .find(|challenge| challenge.status == ChallengeStatus::Invalid);
        if let Some(problem) = failed.and_then(|challenge| challenge.error.as_ref()) {
            return Failure::of_problem(problem);
        }
    }
    Failure::new(
        "protocol",
        "the authority says that the order is invalid, and not why",
    )
}
