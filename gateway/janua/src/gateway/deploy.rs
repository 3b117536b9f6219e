//! The gateway's part in a deploy of static files: it reports where they are,
//! retains removed files, and notices new ones.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use janua_admin::{DeployAnswer, DeployPhase, DeployRequest, PurgeRequest, PurgeSummary};
use janua_config::{Config, HostPattern, Site};
use janua_files::Root;
use janua_proxy::{Directory, Estate};

use super::Gateway;

/// Carries out a step of a deploy. Blocks.
///
/// # Errors
/// Why it cannot be carried out, for the operator.
pub(super) fn deploy(gateway: &Gateway, request: &DeployRequest) -> Result<DeployAnswer, String> {
    let (answer, root) = {
        let snapshot = gateway.estate.snapshot();
        let snapshot = snapshot.ok_or("the gateway is not serving yet")?;
        let state = gateway.state();
        let config = &state.loaded.config;
        let site = site(config, &request.site)?;
        let everything = has_pattern(site) && is_alone_in_cache(config, site);
        let root = root(snapshot.roots(), site, request.route.as_deref())?;
        let path = std::path::absolute(&root.root.options().root)
            .map_err(|error| format!("the directory of the files cannot be told: {error}"))?;
        let answer = DeployAnswer {
            site: site.label(),
            route: root.route.to_owned(),
            root: path
                .into_os_string()
                .into_string()
                .map_err(|path| format!("{} is not UTF-8", Path::new(&path).display()))?,
            retains: root.root.options().retain.is_some(),
            hosts: hosts(site),
            patterns: match everything {
                true => Vec::new(),
                false => patterns(site),
            },
            everything,
            untold: match everything && request.webhooks && is_beside_others_at_webhooks(config) {
                true => patterns(site),
                false => Vec::new(),
            },
            purge: None,
        };
        (answer, root.root.clone())
    };
    match request.phase {
        DeployPhase::Look => Ok(answer),
        DeployPhase::Begin => {
            wait(&gateway.estate, &root, Work::Retain)?;
            Ok(answer)
        }
        DeployPhase::Commit => {
            // Checked while the old files can still be restored.
            check(Path::new(&answer.root), &root.options().index)?;
            wait(&gateway.estate, &root, Work::Refresh)?;
            tracing::info!(site = answer.site, root = answer.root, "deployed");
            purge(gateway, request, answer)
        }
    }
}

/// The site with this host or this name.
fn site<'c>(config: &'c Config, wanted: &str) -> Result<&'c Site, String> {
    let is_host = |host: &HostPattern| host.to_string().eq_ignore_ascii_case(wanted);
    let sites = &config.sites;
    let by_host = sites
        .iter()
        .find(|site| site.hosts.iter().any(|host| is_host(host)));
    let found = by_host.or_else(|| sites.iter().find(|site| site.label() == wanted));
    found.ok_or_else(|| {
        let mut why = format!("there is no site `{wanted}`");
        let known: Vec<String> = sites.iter().take(20).map(Site::label).collect();
        // Writing to a String cannot fail.
        let _ = write!(why, "; there are `{}`", known.join("`, `"));
        why
    })
}

/// The directory to deploy to.
fn root<'s>(
    roots: impl Iterator<Item = Directory<'s>>,
    site: &Site,
    route: Option<&str>,
) -> Result<Directory<'s>, String> {
    let label = site.label();
    let mut roots: Vec<Directory<'s>> = roots.filter(|root| root.site == label).collect();
    if let Some(route) = route {
        let known = labels(&roots);
        roots.retain(|root| root.route == route);
        return match roots.first() {
            Some(root) => Ok(*root),
            None if known.is_empty() => Err(format!("no route of the site `{label}` has files")),
            None => Err(format!(
                "the site `{label}` has no route `{route}` with files; there are `{known}`"
            )),
        };
    }
    // Several routes may serve the same directory.
    let directories = |root: &Directory<'_>| root.root.options().root.clone();
    match roots.first() {
        Some(first)
            if roots
                .iter()
                .all(|root| directories(root) == directories(first)) =>
        {
            Ok(*first)
        }
        Some(_) => Err(format!(
            "several routes of the site `{label}` have files; name one with --route: `{}`",
            labels(&roots)
        )),
        None => Err(format!("no route of the site `{label}` has files")),
    }
}

fn labels(roots: &[Directory<'_>]) -> String {
    let labels: Vec<&str> = roots.iter().map(|root| root.route).collect();
    labels.join("`, `")
}

/// The hosts of a site that can be purged: those that are not patterns.
fn hosts(site: &Site) -> Vec<String> {
    let exact = site.hosts.iter().filter_map(|host| match &host.value {
        HostPattern::Exact(host) => Some(host.clone()),
        HostPattern::Below(_) | HostPattern::Any => None,
    });
    exact.collect()
}

fn has_pattern(site: &Site) -> bool {
    !patterns(site).is_empty()
}

/// Whether everything stored belongs to this site. It is unknown which hosts a
/// pattern has matched, but if no other site uses the cache, all of them belong
/// to this site.
fn is_alone_in_cache(config: &Config, site: &Site) -> bool {
    let others = config.sites.iter().filter(|other| other.span != site.span);
    let mut routes = others.flat_map(|other| other.routes.iter().map(move |route| (other, route)));
    !routes.any(|(other, route)| other.cache(route))
}

/// Whether a webhook that purges everything could affect another site: a CDN may
/// also hold responses that the gateway does not store.
fn is_beside_others_at_webhooks(config: &Config) -> bool {
    config.sites.len() > 1 && !config.cache.webhooks.is_empty()
}

/// The patterns among the site's hosts, whose stored hosts are unknown.
fn patterns(site: &Site) -> Vec<String> {
    let patterns = site.hosts.iter().filter(|host| match &host.value {
        HostPattern::Exact(_) => false,
        HostPattern::Below(_) | HostPattern::Any => true,
    });
    patterns.map(ToString::to_string).collect()
}

/// Whether the new files can be read, as far as a single check tells: their
/// permissions may exclude the gateway.
fn check(root: &Path, index: &[String]) -> Result<(), String> {
    let refused = |path: &Path, error: io::Error| {
        let path = path.display();
        Err(format!("the gateway cannot read {path}: {error}"))
    };
    if let Err(error) = fs::read_dir(root) {
        return refused(root, error);
    }
    for index in index {
        let path = root.join(index);
        match fs::File::open(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return refused(&path, error),
            _ => {}
        }
    }
    Ok(())
}

/// An operation on a directory, for the pool of blocking work.
enum Work {
    Retain,
    Refresh,
}

fn wait(estate: &Estate, root: &Root, work: Work) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| error.to_string())?;
    let done = runtime.block_on(async {
        match work {
            Work::Retain => estate.files.retain(root).await,
            Work::Refresh => estate.files.refresh(root).await,
        }
    });
    done.map_err(|_| "the gateway's disks are busy; try again".to_owned())
}

/// Purges the site's responses, which may be of the old build.
fn purge(
    gateway: &Gateway,
    request: &DeployRequest,
    mut answer: DeployAnswer,
) -> Result<DeployAnswer, String> {
    let named = PurgeRequest {
        host: answer.hosts.clone(),
        tag: request.tags.clone(),
        webhooks: request.webhooks,
        ..PurgeRequest::default()
    };
    let everything = PurgeRequest {
        all: answer.everything,
        ..named.clone()
    };
    answer.purge = match answer.untold.is_empty() {
        // The site has only patterns and shares the cache: there is nothing to
        // name.
        true if everything.is_empty() => None,
        true => Some(gateway.purge_now(&everything)?),
        false => {
            let here = PurgeRequest {
                all: true,
                webhooks: false,
                ..PurgeRequest::default()
            };
            let here = gateway.purge_now(&here)?;
            match named.is_empty() {
                true => Some(here),
                false => Some(both(gateway.purge_now(&named)?, here)),
            }
        }
    };
    Ok(answer)
}

/// Merges the results of two purges of one deploy.
fn both(mut first: PurgeSummary, second: PurgeSummary) -> PurgeSummary {
    first.purged.extend(second.purged);
    first.webhooks.extend(second.webhooks);
    first.warnings.extend(second.warnings);
    first.warnings.dedup();
    first.took_us = first.took_us.saturating_add(second.took_us);
    first
}

#[cfg(test)]
mod tests {
    use janua_config::{Config, Sources, Target, parse};

    use super::{check, hosts, is_alone_in_cache, is_beside_others_at_webhooks, patterns, site};

    fn config() -> Config {
        let text = r#"
            listeners.public.address = "*:80"
            [[sites]]
            name = "app"
            hosts = ["app.example.com", "*.example.com"]
            routes = [{ files = "dist" }]
            [[sites]]
            hosts = ["*"]
            routes = [{ respond = {} }]
        "#;
        parse(Sources::single("a.toml", text)).unwrap().config
    }

    #[test]
    fn a_site_is_found_by_host_and_by_name() {
        let config = config();
        for wanted in ["app", "app.example.com", "APP.example.com", "*.example.com"] {
            let found = site(&config, wanted).unwrap();
            assert!(
                matches!(found.routes[0].target, Target::Files(_)),
                "{wanted}"
            );
        }
        assert_eq!(site(&config, "*").unwrap().label(), "*");
        let why = site(&config, "www.example.com").unwrap_err();
        assert_eq!(
            why,
            "there is no site `www.example.com`; there are `app`, `*`"
        );
    }

    #[test]
    fn hosts_that_are_written_out_are_purged() {
        let config = config();
        assert_eq!(hosts(&config.sites[0]), ["app.example.com"]);
        assert!(hosts(&config.sites[1]).is_empty());
        assert_eq!(patterns(&config.sites[0]), ["*.example.com"]);
        assert_eq!(patterns(&config.sites[1]), ["*"]);
    }

    #[test]
    fn all_that_is_stored_is_of_the_only_site_that_caches() {
        let text = r#"
            listeners.public.address = "*:80"
            upstreams.api.endpoints = ["127.0.0.1:9"]
            [[sites]]
            hosts = ["*"]
            routes = [{ files = "dist" }, { path = "/api", cache = true, upstream = "api" }]
            [[sites]]
            hosts = ["other.example.com"]
            routes = [{ files = "other" }, { path = "/api", upstream = "api" }]
        "#;
        let alone = |text: &str, at: usize| {
            let config = parse(Sources::single("a.toml", text)).unwrap().config;
            is_alone_in_cache(&config, &config.sites[at])
        };
        assert!(alone(text, 0));
        assert!(!alone(text, 1), "the first one caches");
        let both = text
            .replace("[\"other", "[\"x.example.com\", \"other")
            .replace(
                "{ files = \"other\" }, { ",
                "{ files = \"other\" }, { cache = true, ",
            );
        assert!(!alone(&both, 0));
    }

    /// It does not matter that the other site stores nothing here, because the
    /// CDN may.
    #[test]
    fn a_webhook_beside_another_site_is_not_told_to_purge_everything() {
        let webhook = r#"
            [[cache.webhooks]]
            url = "https://cdn.example.com/purge"
            template = "cloudflare"
            token_file = "token"
        "#;
        let alone = "listeners.public.address = \"*:80\"\n[[sites]]\nhosts = [\"*\"]\n\
                     routes = [{ files = \"dist\" }]\n";
        let other = "[[sites]]\nhosts = [\"b.example.com\"]\nroutes = [{ files = \"b\" }]\n";
        for (text, expected) in [
            (format!("{alone}{webhook}"), false),
            (format!("{alone}{other}"), false),
            (format!("{alone}{other}{webhook}"), true),
        ] {
            let config = parse(Sources::single("a.toml", &text)).unwrap().config;
            assert_eq!(is_beside_others_at_webhooks(&config), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let index = ["index.html".to_owned(), "index.htm".to_owned()];
        check(folder.path(), &index).unwrap();
        // A superuser may read everything, but not a link that leads to itself.
        std::os::unix::fs::symlink("index.htm", folder.path().join("index.htm")).unwrap();
        let why = check(folder.path(), &index).unwrap_err();
        assert!(
            why.contains("cannot read") && why.contains("index.htm"),
            "{why}"
        );
        assert!(check(&folder.path().join("away"), &index).is_err());
    }
}
