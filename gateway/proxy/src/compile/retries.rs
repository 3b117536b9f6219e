//! Compiles how requests are repeated.

use std::sync::Arc;
use std::time::Duration;

use janua_config as config;

use crate::retries::{Conditions, Hedge, Retries};

/// How the requests to an upstream are repeated, unless their route says otherwise.
pub(super) fn of_upstream(upstream: &config::Upstream) -> Retries {
    let mut retries = Retries {
        more: None,
        on: Conditions {
            connect: true,
            reset: true,
            ..Conditions::default()
        },
        try_timeout: None,
        budget: 20,
        body: 64 * 1024,
        hedge: hedge(&upstream.hedge),
        hold: upstream.hold,
    };
    if let Some(settings) = &upstream.retries {
        // The defaults of the file model, and what is written.
        retries.on = conditions(&settings.on);
        retries.budget = settings.budget.value.get();
        retries.body = bytes(settings.body.value);
        replace(&mut retries, settings);
    }
    retries
}

/// How the requests of a route are repeated; none if that is as the upstream says.
pub(super) fn of_route(route: &config::Route, upstream: &config::Upstream) -> Option<Arc<Retries>> {
    if route.retries.is_none() && route.hedge.is_none() && route.hold.is_none() {
        return None;
    }
    let mut retries = of_upstream(upstream);
    if let Some(settings) = &route.retries {
        replace(&mut retries, settings);
    }
    if let Some(settings) = &route.hedge {
        retries.hedge = hedge(&settings.value);
    }
    if let Some(hold) = &route.hold {
        retries.hold = hold.value;
    }
    Some(Arc::new(retries))
}

/// How requests are sent that are not to be repeated.
pub(super) fn once(upstream: &config::Upstream) -> Arc<Retries> {
    Arc::new(Retries {
        more: Some(0),
        hedge: None,
        hold: Duration::ZERO,
        ..of_upstream(upstream)
    })
}

/// Replaces what is written.
fn replace(retries: &mut Retries, settings: &config::Retries) {
    let written = settings.written();
    if let Some(on) = written.on {
        retries.on = conditions(on);
    }
    if let Some(budget) = written.budget {
        retries.budget = budget.get();
    }
    if let Some(body) = written.body {
        retries.body = bytes(body);
    }
    retries.more = written.more.or(retries.more);
    retries.try_timeout = written.try_timeout.or(retries.try_timeout);
    // Whoever limits an attempt wants another one.
    retries.on.timeout |= retries.try_timeout.is_some();
}

fn conditions(on: &[config::Spanned<config::RetryCondition>]) -> Conditions {
    use config::RetryCondition as On;
    let mut conditions = Conditions::default();
    for condition in on {
        match condition.value {
            On::Connect => conditions.connect = true,
            On::Reset => conditions.reset = true,
            On::ResetAny => conditions.reset_any = true,
            On::Timeout => conditions.timeout = true,
            On::Status(status) => conditions.add_status(status),
            On::Class(class) => {
                let first = u16::from(class) * 100;
                (first..first + 100).for_each(|status| conditions.add_status(status));
            }
            On::Grpc(status) => conditions.add_call(status),
        }
    }
    conditions
}

fn hedge(hedge: &config::OrFalse<config::Hedge>) -> Option<Hedge> {
    hedge.value().map(|hedge| match hedge {
        config::Hedge::After(time) => Hedge::After(*time),
        config::Hedge::Quantile(percent) => Hedge::Quantile(*percent),
    })
}

fn bytes(size: config::Size) -> usize {
    usize::try_from(size.bytes()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use janua_config::Sources;

    use super::*;

    /// The settings of an upstream and of its route, each with these lines.
    fn of(upstream: &str, route: &str) -> (Retries, Option<Arc<Retries>>) {
        let text = format!(
            "[listeners.a]\naddress = \"127.0.0.1:0\"\n\
             [upstreams.app]\nendpoints = \"127.0.0.1:1\"\n{upstream}\n\
             [[sites]]\nhosts = [\"*\"]\n[[sites.routes]]\nupstream = \"app\"\n{route}\n"
        );
        let config = janua_config::parse(Sources::single("janua.toml", text)).unwrap();
        let upstream = &config.config.upstreams["app"];
        let route = &config.config.sites[0].routes[0];
        (of_upstream(upstream), of_route(route, upstream))
    }

    #[test]
    fn what_is_not_written_has_the_same_defaults_everywhere() {
        let (absent, of_route) = of("", "");
        let (empty, _) = of("retries = {}", "");
        assert!(of_route.is_none());
        assert_eq!(format!("{absent:?}"), format!("{empty:?}"));
        assert_eq!(
            (absent.more, absent.budget, absent.body),
            (None, 20, 64 * 1024)
        );
        assert!(absent.on.connect && absent.on.reset && !absent.on.timeout);
        assert!(absent.hedge.is_none() && absent.hold.is_zero());
    }

    #[test]
    fn a_route_replaces_what_it_writes() {
        let upstream = "retries = { more = 5, on = [\"reset-any\"], budget = \"50%\", body = 10 }\n\
                        hedge = \"p95\"\nhold = \"10s\"";
        let (_, route) = of(upstream, "retries = 1");
        let route = route.unwrap();
        assert_eq!((route.more, route.budget, route.body), (Some(1), 50, 10));
        assert!(route.on.reset_any && !route.on.connect);
        assert_eq!(route.hedge, Some(Hedge::Quantile(95)));
        let (_, route) = of(
            upstream,
            "retries = { on = [\"5xx\"], body = \"1KiB\" }\nhedge = false\nhold = \"0s\"",
        );
        let route = route.unwrap();
        assert_eq!((route.more, route.budget, route.body), (Some(5), 50, 1024));
        assert!(route.on.has_status(599) && !route.on.reset_any && !route.on.has_status(499));
        assert!(route.hedge.is_none() && route.hold.is_zero());
        let (_, route) = of(upstream, "hold = \"1m\"");
        assert_eq!(route.unwrap().hold, Duration::from_secs(60));
        let (_, route) = of(upstream, "retries = { on = [] }");
        assert_eq!(route.unwrap().on, Conditions::default());
    }

    #[test]
    fn an_attempt_with_a_limit_is_followed_by_another() {
        let (upstream, route) = of(
            "retries = { on = [\"503\"], try_timeout = \"2s\" }",
            "retries = { on = [\"502\"] }",
        );
        assert!(upstream.on.timeout && upstream.on.has_status(503));
        let route = route.unwrap();
        assert!(route.on.timeout && !route.on.has_status(503) && route.on.has_status(502));
        assert_eq!(route.try_timeout, Some(Duration::from_secs(2)));
    }
}
