//! Compiles the targets of routes.

use std::hash::{Hash, Hasher as _};

use janua_compress::{Coding, Compression, Levels};
use janua_config::{self as config, Diagnostic};
use janua_files::{Options, Retain, Symlinks};
use siphasher::sip::SipHasher13;

use super::choices::Place;
use super::{Compiler, edits, retries};
use crate::snapshot::{Fixed, Target, To, Tree};

impl Compiler<'_, '_> {
    pub(super) fn target(&mut self, place: &Place<'_>, route: &config::Route) -> Target {
        match &route.target {
            config::Target::Upstream(name) => {
                Target::Upstream(self.upstream(route, name.as_str(), &Own::default()))
            }
            config::Target::Split(split) => self.split(place, route, split),
            config::Target::Files(files) => self.files(route, files),
            config::Target::Respond(respond) => Target::Respond(Fixed {
                status: respond.status.0,
                headers: fields(&respond.headers),
                body: respond.body.as_bytes().into(),
            }),
            config::Target::Redirect(redirect) => {
                Target::Redirect(edits::redirect(route, redirect))
            }
        }
    }

    /// Compiles the target `files`. A directory that is already open is reused.
    fn files(&mut self, route: &config::Route, files: &config::Files) -> Target {
        let directory = files.root.path();
        let options = options(files);
        let root = match self.estate.root(&options) {
            Ok(root) => root,
            Err(error) => {
                self.found.push(
                    Diagnostic::error(directory.span, error.to_string())
                        .help("a path is relative to the file that it stands in"),
                );
                // A placeholder: a configuration with errors never runs.
                return Target::Respond(Fixed::default());
            }
        };
        let alias = matches!(files.root, config::FilesRoot::Alias(_));
        let strip_prefix = match route.path.as_deref() {
            Some(config::PathPattern::Prefix(path) | config::PathPattern::Segment(path))
                if alias =>
            {
                Some(path.as_str().into())
            }
            _ => None,
        };
        Target::Files(Tree { root, strip_prefix })
    }

    /// How the requests of a route are sent to an upstream, which may have settings of its own on
    /// this route.
    pub(super) fn upstream(&self, route: &config::Route, name: &str, own: &Own<'_>) -> To {
        let upstream = self.config.upstreams.get(name);
        let strip_prefix = route.strip_prefix.as_ref().map(|prefix| prefix.as_str());
        let strip_prefix = own.strip_prefix.or(strip_prefix);
        let host = own.host.unwrap_or(&route.host.value);
        let scope = cache_scope(name, host, strip_prefix, route);
        let (host, rewrite) = edits::rewrite(route, own);
        To {
            cache_scope: scope,
            // The file model has verified that the upstream exists.
            upstream: self.places.get(name).copied().unwrap_or_default(),
            host,
            rewrite,
            strip_prefix: strip_prefix.map(Into::into),
            stats: None,
            retries: upstream.and_then(|upstream| retries::of_route(route, upstream)),
            upstream_timeout: route
                .upstream_timeout
                .as_ref()
                .map(|timeout| timeout.value)
                .filter(|timeout| !timeout.is_zero()),
        }
    }
}

/// The settings that an upstream has of its own on a route, in place of the route's.
#[derive(Default)]
pub(super) struct Own<'a> {
    pub(super) host: Option<&'a config::UpstreamHost>,
    pub(super) strip_prefix: Option<&'a str>,
}

impl<'a> Own<'a> {
    pub(super) fn of(member: &'a config::SplitMember) -> Self {
        Self {
            host: member.host.as_ref().map(|host| &host.value),
            strip_prefix: member.strip_prefix.as_ref().map(|prefix| prefix.as_str()),
        }
    }
}

/// The part of the cache scope that the route itself gives. All of its inputs come from
/// the configuration, so nobody can provoke a collision of the 64 bits.
fn cache_scope(
    upstream: &str,
    host: &config::UpstreamHost,
    strip_prefix: Option<&str>,
    route: &config::Route,
) -> [u8; 8] {
    let host = match host {
        config::UpstreamHost::Preserve => (0, ""),
        config::UpstreamHost::Upstream => (1, ""),
        config::UpstreamHost::Literal(host) => (2, host.as_str()),
    };
    let scope = fingerprint((upstream, host, strip_prefix));
    let edits = &route.request_headers;
    if route.rewrite.is_none() && edits.is_empty() {
        return scope;
    }
    let rewrite = route.rewrite.as_ref().map(|rewrite| {
        let host = rewrite.host.as_ref().map(|host| host.as_str());
        let path = rewrite.path.as_ref().map(|path| path.as_str());
        // What it replaces follows from the path of the route.
        let replaced = route.path.as_deref().map(config::PathPattern::to_string);
        let prefix = rewrite.prefix.as_ref().map(|it| (it.as_str(), replaced));
        (host, path, prefix)
    });
    let removed: Vec<&str> = edits.remove.iter().map(|name| name.as_str()).collect();
    let set = edits.set.0.iter();
    let set: Vec<_> = set.map(|(name, it)| (name.as_str(), it.as_str())).collect();
    let lines = |lines: &[config::Spanned<config::Template>]| -> Vec<String> {
        lines.iter().map(|line| line.as_str().to_owned()).collect()
    };
    let add = edits.add.0.iter();
    let add: Vec<_> = add.map(|(name, it)| (name.as_str(), lines(it))).collect();
    fingerprint((scope, rewrite, removed, set, add))
}

pub(super) fn fingerprint(of: impl Hash) -> [u8; 8] {
    let mut hasher = SipHasher13::new();
    of.hash(&mut hasher);
    hasher.finish().to_le_bytes()
}

fn options(files: &config::Files) -> Options {
    Options {
        root: files.root.path().value.clone(),
        index: files
            .index
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        listing: files.listing,
        precompressed: files
            .precompressed
            .iter()
            .map(|it| coding(it.value))
            .collect(),
        symlinks: match files.symlinks {
            config::Symlinks::Inside => Symlinks::Inside,
            config::Symlinks::Refuse => Symlinks::Refuse,
            config::Symlinks::Follow => Symlinks::Follow,
        },
        hidden: files.hidden,
        retain: files.retain.map(|period| Retain {
            period: period.value,
            files: files
                .retain_files
                .iter()
                .map(|glob| glob.as_str().to_owned())
                .collect(),
            store: files.retain_in.as_ref().map(|path| path.value.clone()),
        }),
    }
}

/// The parameters of `compress = true`.
pub(super) fn compression(config: &config::Compression) -> Compression {
    Compression {
        encodings: config.encodings.iter().map(|it| coding(it.value)).collect(),
        min_length: config.min_length.bytes(),
        types: config
            .types
            .iter()
            .map(|kind| kind.as_str().into())
            .collect(),
        levels: Levels {
            gzip: level(config.levels.gzip.value.0),
            br: level(config.levels.br.value.0),
            zstd: level(config.levels.zstd.value.0),
        },
        memory: config.memory.bytes(),
    }
}

/// The file model has verified that the level is a small number.
fn level(level: u16) -> u8 {
    u8::try_from(level).unwrap_or(u8::MAX)
}

fn coding(encoding: config::Encoding) -> Coding {
    match encoding {
        config::Encoding::Zstd => Coding::Zstd,
        config::Encoding::Br => Coding::Brotli,
        config::Encoding::Gzip => Coding::Gzip,
    }
}

pub(super) fn fields(list: &config::HeaderList) -> Box<[(Box<str>, Box<str>)]> {
    list.0
        .iter()
        .map(|header| (header.name.as_str().into(), header.value.as_str().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use janua_compress::{Coding, DEFAULT_TYPES, Levels};
    use janua_config::Encoding;

    /// What is warned of is what the crate that compresses has measured.
    #[test]
    fn warnings_of_heavy_levels_name_what_they_take() {
        for (encoding, coding) in [
            (Encoding::Gzip, Coding::Gzip),
            (Encoding::Br, Coding::Brotli),
            (Encoding::Zstd, Coding::Zstd),
        ] {
            for level in Levels::lowest(coding)..=Levels::highest(coding) {
                let levels = Levels {
                    gzip: level,
                    br: level,
                    zstd: level,
                };
                let mib = levels.memory(coding).div_ceil(1 << 20);
                match encoding.heavy(level.into()) {
                    Some(heavy) => {
                        assert_eq!(heavy.mib, mib, "{coding:?} {level}");
                        assert!(levels.is_slow(coding), "{coding:?} {level}");
                    }
                    None => assert!(mib <= 5, "{coding:?} {level} takes {mib} MiB"),
                }
            }
        }
    }

    /// The list of the configuration's reference is that of the crate that compresses.
    #[test]
    fn the_types_that_are_compressed_by_default_are_one_list() {
        let text = "[listeners.a]\naddress = \"127.0.0.1:0\"\n[[sites]]\nhosts = [\"*\"]\n\
                    [[sites.routes]]\nrespond = { status = 200 }\n";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("janua.toml");
        std::fs::write(&file, text).unwrap();
        let config = janua_config::load(&file).unwrap().config;
        let types = config.compression.types.iter().map(|kind| kind.as_str());
        assert_eq!(types.collect::<Vec<_>>(), DEFAULT_TYPES);
    }
}
