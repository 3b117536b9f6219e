//! What `check` reports, and `run` if it does not start.

use std::fs;

use janua_tests::run;

use crate::reload::says;

/// Both report a log that cannot be written to, at its position.
#[tokio::test]
async fn a_log_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    for (path, why, help) in [
        (
            "none/access.log",
            "its directory does not exist",
            "make the directory none",
        ),
        ("folder", "it is a directory", "name a file in it"),
        (
            "janua.toml/access.log",
            "a part of the path is not a directory",
            "name another file",
        ),
    ] {
        let config = format!(
            "{}[log]\naccess = {{ path = \"{path}\" }}\n[admin]\nsocket = \"a.sock\"\n\
             [server]\nstate_dir = \"state\"\n",
            says("x")
        );
        fs::write(folder.path().join("janua.toml"), config).unwrap();
        for command in ["check", "run"] {
            let ran = run(folder.path(), &[command]).await;
            assert_eq!(ran.code, Some(1), "{ran:?}");
            let said = ran.stderr;
            let message = format!("the access log {path} cannot be opened for writing: {why}");
            assert!(said.contains(&message), "{command}: {said}");
            assert!(said.contains("--> janua.toml:7:19"), "{command}: {said}");
            assert!(said.contains(help), "{command}: {said}");
        }
    }
}

/// What must last is apart from what may be lost. A check compiles components, and makes no keys.
#[tokio::test]
async fn the_directories_of_state_and_cache() {
    for (configured, cache) in [
        ("", "state/cache"),
        ("cache_dir = \"elsewhere\"\n", "elsewhere"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[listeners.public]\naddress = \"127.0.0.1:0\"\ntls = true\n\
             [policies.branding]\ncomponent = \"headers\"\n\
             config.response = {{ set = {{ x-brand = \"1\" }} }}\n\
             [[sites]]\nhosts = [\"a.example\"]\ncertificate = \"self-signed\"\n\
             policies = [\"branding\"]\nroutes = [{{ respond = {{}} }}]\n\
             [server]\nstate_dir = \"state\"\n{configured}"
        );
        fs::write(folder.path().join("janua.toml"), config).unwrap();
        let ran = run(folder.path(), &["check"]).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let has = |path: &str| {
            let entries = fs::read_dir(folder.path().join(path));
            entries.is_ok_and(|mut entries| entries.next().is_some())
        };
        assert!(has(cache), "{cache}");
        assert_eq!(has("state"), configured.is_empty());
    }
}

/// `check` does not create a log file.
#[tokio::test]
async fn a_check_makes_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        says("x") + "[log]\naccess = { path = \"access.log\" }\n[server]\nstate_dir = \"state\"\n";
    fs::write(folder.path().join("janua.toml"), config).unwrap();
    let ran = run(folder.path(), &["check"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!folder.path().join("access.log").exists());
}

/// The socket is created under a temporary name, which the operator never sees.
#[tokio::test]
async fn an_admin_socket_that_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    // A file where a directory is needed, and a file system that accepts no files.
    for socket in ["file/a.sock", "/proc/a.sock"] {
        let config = format!(
            "{}[admin]\nsocket = \"{socket}\"\n[server]\nstate_dir = \"state\"\n",
            says("x")
        );
        fs::write(folder.path().join("janua.toml"), config).unwrap();
        let ran = run(folder.path(), &["run"]).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let said = ran.stderr;
        assert!(said.contains("--> janua.toml:7:10"), "{said}");
        assert!(
            said.contains("help: name another path by `socket` in `[admin]`"),
            "{said}"
        );
        let message = said
            .lines()
            .find(|line| line.starts_with("error: "))
            .unwrap();
        assert!(
            message.contains(socket.split("/a").next().unwrap()),
            "{message}"
        );
        let passing = message
            .split(|c: char| !c.is_ascii_digit())
            .any(|digits| digits.len() > 2);
        assert!(!passing, "{message}");
    }
}

/// The advice names what the operator wrote, and is omitted if it would not help.
#[tokio::test]
async fn an_admin_socket_by_option_that_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let base = says("x") + "[server]\nstate_dir = \"state\"\n";
    let groupless = format!("{base}[admin]\nsocket = \"a.sock\"\ngroup = \"no-such-group\"\n");
    let by_option: &[&str] = &["run", "--admin", "file/a.sock"];
    for (config, line, help) in [
        (&base, by_option, Some("name another path by `--admin`")),
        (&groupless, &["run"], None),
    ] {
        fs::write(folder.path().join("janua.toml"), config).unwrap();
        let ran = run(folder.path(), line).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(!ran.stderr.contains("`socket` in `[admin]`"), "{ran:?}");
        let advises = ran.stderr.contains("name another path");
        assert_eq!(advises, help.is_some(), "{ran:?}");
        assert!(help.is_none_or(|help| ran.stderr.contains(help)), "{ran:?}");
    }
}

/// Everything that a policy refers to and that is missing is reported at once,
/// together with other errors.
#[tokio::test]
async fn everything_missing_is_reported_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = says("x")
        + "[policies.a]\ncomponent = \"api-key\"\nconfig = { keys_file = \"none\" }\n\
           [policies.b]\ncomponent = \"api-key\"\nconfig = { keys_env = \"JANUA_NONE\" }\n\
           [policies.c]\ncomponent = \"none.wasm\"\ncolour = 1\n";
    fs::write(folder.path().join("janua.toml"), config).unwrap();
    let ran = run(folder.path(), &["check"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for place in [
        "janua.toml:8:24",
        "janua.toml:11:23",
        "janua.toml:13:13",
        "janua.toml:14:1",
    ] {
        assert!(ran.stderr.contains(place), "{place}: {}", ran.stderr);
    }
    assert!(
        ran.stderr.contains("janua.toml: 4 errors"),
        "{}",
        ran.stderr
    );
}

/// Once the file itself is valid, errors of policies are reported with missing
/// files.
#[tokio::test]
async fn errors_of_policies_are_reported_with_missing_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = says("x")
        + "[policies.a]\ncomponent = \"api-key\"\nconfig = { keys_file = \"none\" }\n\
           [policies.b]\ncomponent = \"rate-limit\"\nconfig = { rat = \"10/s\" }\n\
           [policies.c]\ncomponent = \"none.wasm\"\nconfig = { keys_file = \"none\" }\n";
    fs::write(folder.path().join("janua.toml"), config).unwrap();
    let ran = run(folder.path(), &["check"]).await;
    for place in [
        "janua.toml:8:24",
        "janua.toml:11:12",
        "janua.toml:13:13",
        "janua.toml:14:24",
    ] {
        assert!(ran.stderr.contains(place), "{place}: {}", ran.stderr);
    }
    assert!(
        ran.stderr.contains("janua.toml: 4 errors"),
        "{}",
        ran.stderr
    );
}
