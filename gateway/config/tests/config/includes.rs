//! A configuration of several files.

use std::fs;
use std::path::Path;

use janua_config::{Diagnostics, Loaded, Pattern, Sources, load, parse};

const MAIN: &str = r#"
include = ["sites/*.toml"]

[listeners.public]
address = "*:80"
"#;

fn site(name: &str) -> String {
    format!(
        "[upstreams.{name}]\nendpoints = [\"unix:{name}.sock\"]\n\
         [[sites]]\nhosts = [\"{name}.example\"]\nroutes = [{{ upstream = \"{name}\" }}]\n"
    )
}

fn loaded(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Loaded, Diagnostics>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let loaded = load(&folder.path().join("janua.toml"));
    (folder, loaded)
}

/// The diagnostics, without the path of the temporary directory.
fn said(folder: &Path, found: &Diagnostics) -> String {
    found
        .to_string()
        .replace(&format!("{}/", folder.display()), "")
}

#[test]
fn tables_are_merged_and_sites_follow_in_the_order_of_the_file_names() {
    let (folder, loaded) = loaded(&[
        ("janua.toml", MAIN),
        ("sites/b.toml", &site("b")),
        ("sites/a.toml", &site("a")),
        ("sites/.a.toml", "not even = = TOML"),
        ("sites/a.toml~", "not even = = TOML"),
    ]);
    let Loaded {
        config,
        sources,
        warnings,
    } = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    let hosts: Vec<_> = config
        .sites
        .iter()
        .map(|site| site.hosts[0].to_string())
        .collect();
    assert_eq!(hosts, ["a.example", "b.example"]);
    assert_eq!(config.upstreams.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(sources.paths().count(), 3);
    assert!(warnings.is_empty(), "{warnings}");
    // Paths are relative to the file that contains them.
    assert_eq!(
        config.upstreams["a"].endpoints[0].address.to_string(),
        format!("unix:{}/sites/a.sock", folder.path().display())
    );
    assert_eq!(config.include[0].directory, folder.path().join("sites"));
}

#[test]
fn a_name_in_two_files_is_refused_with_both_places() {
    let again = format!("{}[log]\n[server]\nworkers = 1\n", site("a"));
    let main = format!("{MAIN}[server]\nworkers = 2\n");
    let (folder, loaded) = loaded(&[
        ("janua.toml", &main),
        ("sites/a.toml", &site("a")),
        ("sites/b.toml", &again),
    ]);
    let said = said(folder.path(), &loaded.unwrap_err());
    for part in [
        "error: upstream `a` is defined twice\n --> sites/b.toml:1:12",
        " --> sites/a.toml:1:12",
        "error: `[server]` is given twice\n --> sites/b.toml:7:1",
        " --> janua.toml:6:1",
        "error: the host `a.example` is given twice\n --> sites/b.toml:4:10",
        " --> sites/a.toml:4:10",
    ] {
        assert!(said.contains(part), "{part}\n---\n{said}");
    }
}

#[test]
fn faults_of_all_files_are_said_at_once() {
    let (folder, loaded) = loaded(&[
        ("janua.toml", &format!("{MAIN}colour = 1\n")),
        (
            "sites/a.toml",
            "include = [\"x.toml\"]\n[upstreams.x]\nendpoint = 3\n",
        ),
        ("sites/b.toml", "[[sites]\nhosts = [\n"),
    ]);
    let said = said(folder.path(), &loaded.unwrap_err());
    for part in [
        "janua.toml:6:1",
        "sites/a.toml:1:12",
        "sites/a.toml:3:1",
        "sites/b.toml:1:",
    ] {
        assert!(said.contains(part), "{part}\n---\n{said}");
    }
}

#[test]
fn a_name_is_not_called_unknown_while_a_file_cannot_be_read() {
    let main = format!("{MAIN}[[sites]]\nhosts = [\"*\"]\nroutes = [{{ upstream = \"a\" }}]\n");
    let (_folder, loaded) = loaded(&[("janua.toml", &main), ("sites/a.toml", "[upstreams.a\n")]);
    let said = loaded.unwrap_err().to_string();
    assert!(!said.contains("unknown"), "{said}");
}

#[test]
fn a_file_that_is_named_must_be_there_and_a_pattern_may_match_none() {
    let main = "include = [\"a.toml\", \"none*.toml\"]\n[listeners.x]\naddress = \"*:80\"\n";
    let (folder, missing) = loaded(&[("janua.toml", main)]);
    let said_ = said(folder.path(), &missing.unwrap_err());
    assert!(
        said_.contains("`a.toml`: cannot be read: No such file"),
        "{said_}"
    );
    assert!(said_.contains("janua.toml:1:12"), "{said_}");

    let (folder, found) = loaded(&[("janua.toml", main), ("a.toml", "")]);
    let warnings = found.unwrap_or_else(|errors| panic!("{errors}")).warnings;
    assert!(said(folder.path(), &warnings).contains("no file matches\n --> janua.toml:1:22"));
}

#[test]
fn a_main_file_that_matches_its_own_pattern_is_read_once() {
    let main = "include = [\"*.toml\", \"a.toml\"]\n[listeners.x]\naddress = \"*:80\"\n";
    let (_folder, loaded) = loaded(&[("janua.toml", main), ("a.toml", "")]);
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.sources.paths().count(), 2);
}

#[test]
fn a_file_that_includes_itself_is_refused_with_the_way_back() {
    let listener = "[listeners.x]\naddress = \"*:80\"\n";
    for own in ["janua.toml", "./janua.toml", "sites/../janua.toml"] {
        let main = format!("include = [\"none*.toml\", \"{own}\"]\n{listener}");
        let (folder, found) = loaded(&[("janua.toml", &main), ("sites/a.toml", "")]);
        let said = said(folder.path(), &found.unwrap_err());
        assert!(
            said.contains(&format!(
                "the file includes itself: `janua.toml` → `{own}`\n --> janua.toml:1:26"
            )),
            "{said}"
        );
    }
    let main = format!("include = [\"sites/*.toml\"]\n{listener}");
    for (includes, way) in [
        (
            "../janua.toml",
            "`janua.toml` → `sites/a.toml` → `janua.toml`",
        ),
        ("a.toml", "`janua.toml` → `sites/a.toml` → `sites/a.toml`"),
    ] {
        let included = format!("include = [\"b.toml\", \"{includes}\"]\n");
        let (folder, found) = loaded(&[("janua.toml", &main), ("sites/a.toml", &included)]);
        let said = said(folder.path(), &found.unwrap_err());
        let circle =
            format!("the files include each other in a circle: {way}\n --> sites/a.toml:1:22");
        assert!(said.contains(&circle), "{said}");
        assert_eq!(said.matches("error:").count(), 1, "{said}");
    }
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("none.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("cannot be read: No such file"),
        "{missing}"
    );
    let directory = load(folder.path()).unwrap_err().to_string();
    assert!(directory.contains("is a directory"), "{directory}");
    let path = folder.path().join("latin.toml");
    fs::write(&path, b"# one\n# \xe9\n").unwrap();
    let latin = load(&path).unwrap_err().to_string();
    assert!(latin.contains("is not UTF-8 (line 2)"), "{latin}");
}

#[test]
fn patterns() {
    let table = [
        ("*.toml", "a.toml", true),
        ("*.toml", ".a.toml", false),
        (".*.toml", ".a.toml", true),
        ("*.toml", "a.toml.swp", false),
        ("a*b*c", "abc", true),
        ("a*b*c", "aXbYc", true),
        ("a*b*c", "ac", false),
        ("a*a", "a", false),
        ("a*bc*c", "abcc", true),
        ("a*bc*c", "abc", false),
        ("**", "x", true),
        ("x", "x", true),
        ("x", "xy", false),
    ];
    for (pattern, name, fits) in table {
        let pattern = Pattern {
            directory: "".into(),
            name: pattern.to_owned(),
        };
        assert_eq!(pattern.matches(name), fits, "{pattern:?} {name}");
    }
}

#[test]
fn parse_takes_files_that_are_already_read() {
    let mut sources = Sources::single("janua.toml", MAIN);
    sources.add("sites/a.toml", site("a"));
    let loaded = parse(sources).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.config.sites.len(), 1);
}

/// A file may bring its own authority, but there is one default authority.
#[test]
fn authorities_of_all_files_are_together() {
    let own = "[acme.own]\naccept_terms = true\n";
    let used = "[[sites]]\nhosts = [\"a.example.com\"]\nlisteners = [\"public\"]\n\
                certificate = { acme = \"own\" }\nroutes = [{ respond = {} }]\n";
    let main = format!("{MAIN}[acme]\naccept_terms = true\nfallback = [\"own\"]\n");
    let (_folder, with) = loaded(&[
        ("janua.toml", &main),
        ("sites/a.toml", &format!("{own}{used}")),
    ]);
    let acme = with.unwrap_or_else(|errors| panic!("{errors}")).config.acme;
    assert!(acme.default.is_some() && acme.named.contains_key("own"));

    let again = format!("[acme]\naccept_terms = true\n{own}");
    let (folder, refused) = loaded(&[
        ("janua.toml", &main),
        ("sites/a.toml", own),
        ("sites/b.toml", &again),
    ]);
    let said = said(folder.path(), &refused.unwrap_err());
    for part in [
        "error: `[acme]` is given twice\n --> sites/b.toml:1:1",
        "error: authority `own` is defined twice\n --> sites/b.toml:3:7",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}
