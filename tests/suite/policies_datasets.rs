//! Datasets: the gateway holds them, and policies look keys up in them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use janua_tests::{Gateway, Request, Settings, assert_eventually, component, mmdb};

use crate::policies_load::{errors, janua};

const ALL: &str = r#"
[datasets.blocked]
networks = "blocked.txt"
[datasets.tenants]
strings = "tenants.txt"
[datasets.attacks]
regexes = "attacks.txt"
[datasets.geo]
mmdb = "geo.mmdb"
"#;

/// A gateway whose policy has this configuration, and the grants for these datasets. Without
/// samples, nothing but a tie drops a remembered verdict.
fn config(config: &str, granted: &[&str], datasets: &str) -> String {
    let component = component("datasets");
    let component = component.display();
    let grants: String = granted
        .iter()
        .map(|name| format!(", \"dataset:{name}\""))
        .collect();
    format!(
        r#"
[listeners.public]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.0/8"]
[policies.p]
component = "{component}"
config = {config}
grants = ["respond"{grants}]
memo_sample = 0
{datasets}
[[sites]]
hosts = ["*"]
policies = ["p"]
routes = [{{ respond = {{ status = 404 }} }}]
"#
    )
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    // As the operations manual says, so that nobody reads half of it.
    std::fs::write(folder.join("new"), content).unwrap();
    std::fs::rename(folder.join("new"), folder.join(name)).unwrap();
}

fn write_all(folder: &Path) {
    write(
        folder,
        "blocked.txt",
        "# networks\n198.51.100.0/24\tspam\n198.51.100.7 friend\n2001:db8::/32\n",
    );
    write(folder, "tenants.txt", "a.example gold\nb.example\n");
    write(folder, "attacks.txt", "^/wp-\tbot\n\\.php$\n");
    let country = |code| {
        let code = mmdb::Value::Map(vec![("iso_code", mmdb::Value::Text(code))]);
        mmdb::Value::Map(vec![("country", code)])
    };
    let networks = [
        ("198.51.100.0/24", country("DE")),
        ("2001:db8::/32", country("FR")),
    ];
    write(folder, "geo.mmdb", mmdb::database(&networks));
}

async fn started() -> Gateway {
    let gateway = Settings::new()
        .workers(1)
        .watch()
        .start("[listeners.public]\naddress = \"127.0.0.1:0\"\n")
        .await;
    write_all(gateway.directory());
    gateway
}

fn from(client: &str) -> Request {
    Request::get("/").header("x-forwarded-for", client)
}

async fn text(gateway: &Gateway, request: Request) -> String {
    gateway.send(request).await.text().to_owned()
}

#[tokio::test]
async fn the_gateway_looks_keys_up_in_datasets_of_each_kind() {
    let mut gateway = started().await;
    let config = config(
        r#"{ look_up = [
            { dataset = "blocked", key = "client_ip" },
            { dataset = "tenants", key = "host" },
            { dataset = "attacks", key = "path" },
            { dataset = "geo", key = "client_ip", member = "country.iso_code" },
            { dataset = "blocked", key = "header:x-address" },
        ] }"#,
        &["blocked", "tenants", "attacks", "geo", "unused"],
        ALL,
    );
    // A grant that nothing needs is an error, as always.
    let config = config.replace(", \"dataset:unused\"", "");
    gateway.reload(&config).await;
    for (client, host, path, address, values) in [
        (
            "198.51.100.6",
            "a.example",
            "/wp-login.php",
            "198.51.100.7",
            [
                Some("spam"),
                Some("gold"),
                Some("bot"),
                Some("DE"),
                Some("friend"),
            ],
        ),
        (
            "::ffff:198.51.100.7",
            "b.example",
            "/a.php",
            "no address",
            [Some("friend"), Some("1"), Some("1"), Some("DE"), None],
        ),
        (
            "2001:db8::1",
            "c.example",
            "/a",
            "192.0.2.1",
            [Some("1"), None, None, Some("FR"), None],
        ),
        (
            "192.0.2.1",
            "d.example",
            "/",
            "",
            [None, None, None, None, None],
        ),
    ] {
        let request = Request::get(path)
            .host(host)
            .header("x-forwarded-for", client)
            .header("x-address", address);
        let names = ["blocked", "tenants", "attacks", "geo", "blocked"];
        let expected = names.iter().zip(values).map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => (*name).to_owned(),
        });
        let expected: Vec<_> = expected.collect();
        for _ in 0..2 {
            let response = gateway.send(request.clone()).await;
            assert_eq!(response.text(), expected.join("\n"), "{client} {host}");
            assert_eq!(response.header("x-first"), values[0]);
        }
    }
    // The value of the look-up is what the verdict is remembered by, and not the key.
    let hits = async || {
        gateway
            .metric("janua_policy_memo_hits_total", &[("policy", "p")])
            .await
    };
    let before = hits().await;
    for last in 10..20 {
        text(
            &gateway,
            from(&format!("198.51.100.{last}")).host("c.example"),
        )
        .await;
    }
    assert!(hits().await >= before + 9.0);
}

#[tokio::test]
async fn a_policy_finds_keys_by_itself() {
    let mut gateway = started().await;
    let config = config(
        r#"{ call = ["blocked", "tenants", "attacks", "geo"] }"#,
        &["blocked", "tenants", "attacks", "geo"],
        ALL,
    );
    gateway.reload(&config).await;
    for (find, found) in [
        ("blocked|198.51.100.7", r#"Ok(Some("friend"))"#),
        ("blocked|192.0.2.1", "Ok(None)"),
        ("blocked|a.example", "Err(Error::BadKey)"),
        ("tenants|b.example", r#"Ok(Some("1"))"#),
        ("tenants|b.example|member", "Ok(None)"),
        ("attacks|/wp-admin", r#"Ok(Some("bot"))"#),
        ("geo|2001:db8::5|country.iso_code", r#"Ok(Some("FR"))"#),
        ("geo|2001:db8::5|country", "Ok(None)"),
        ("none|a", "Err(Error::UnknownDataset)"),
    ] {
        let request = Request::get("/").header("x-find", find);
        assert_eq!(text(&gateway, request).await, found, "{find}");
    }
}

/// Under load: no request fails, and after the change no request gets the old value, although
/// the policy says that its verdicts may be reused until a reload.
#[tokio::test]
async fn a_file_that_changes_takes_effect_by_itself() {
    let mut gateway = started().await;
    let policy =
        r#"{ look_up = [{ dataset = "blocked", key = "client_ip" }], call = ["tenants"] }"#;
    let config = config(policy, &["blocked", "tenants"], ALL);
    gateway.reload(&config).await;
    let gateway = Arc::new(gateway);
    let over = Arc::new(AtomicBool::new(false));
    let load = {
        let (gateway, over) = (Arc::clone(&gateway), Arc::clone(&over));
        tokio::spawn(async move {
            let mut answers = 0;
            while !over.load(Ordering::Relaxed) {
                let request = from("198.51.100.6").header("x-find", "tenants|a.example");
                let response = gateway.send(request).await;
                assert_eq!(response.status, 200);
                answers += 1;
            }
            answers
        })
    };
    let asked = async || {
        let request = from("198.51.100.6").header("x-find", "tenants|a.example");
        text(&gateway, request).await
    };
    assert_eq!(asked().await, "blocked=spam\nOk(Some(\"gold\"))");
    let generation = async |name: &str| {
        let status = gateway.status().await;
        let datasets = status["datasets"].as_array().unwrap().clone();
        let of_name = datasets.iter().find(|dataset| dataset["name"] == name);
        of_name.unwrap()["generation"].as_u64().unwrap()
    };
    let geo = generation("geo").await;

    write(gateway.directory(), "tenants.txt", "a.example silver\n");
    assert_eventually!(asked().await == "blocked=spam\nOk(Some(\"silver\"))");
    write(gateway.directory(), "blocked.txt", "198.51.100.0/24 ham\n");
    assert_eventually!(asked().await == "blocked=ham\nOk(Some(\"silver\"))");
    // What has not changed is the same dataset.
    assert_eq!(generation("geo").await, geo);

    // A broken file leaves the old one, and says where it is broken.
    write(
        gateway.directory(),
        "blocked.txt",
        "198.51.100.0/24 eggs\n198.51.100.0/33\n",
    );
    gateway
        .says("blocked.txt:2: `198.51.100.0/33` is not")
        .await;
    assert_eq!(asked().await, "blocked=ham\nOk(Some(\"silver\"))");
    write(gateway.directory(), "blocked.txt", "198.51.100.0/24 eggs\n");
    assert_eventually!(asked().await == "blocked=eggs\nOk(Some(\"silver\"))");

    over.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 0);
}

/// What `check` says of datasets, each at its place.
#[tokio::test]
async fn what_is_wrong_with_datasets_is_said_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    write(folder.path(), "bad.txt", "a\n(b\n");
    let blocked = "[datasets.blocked]\nnetworks = \"blocked.txt\"";
    let look_up = |dataset: &str, more: &str| {
        format!(r#"{{ look_up = [{{ dataset = "{dataset}", key = "client_ip"{more} }}] }}"#)
    };
    for (policy, granted, datasets, line, words) in [
        (
            look_up("bloked", ""),
            &["blocked"][..],
            blocked,
            7,
            "unknown dataset `bloked`",
        ),
        (
            r#"{ call = ["geo"] }"#.to_owned(),
            &["geo"],
            blocked,
            7,
            "unknown dataset `geo`",
        ),
        (
            look_up("blocked", ""),
            &[],
            blocked,
            6,
            "asks for what it was not granted (dataset:blocked)",
        ),
        (
            r#"{ call = ["blocked"] }"#.to_owned(),
            &[],
            blocked,
            6,
            "asks for what it was not granted (dataset:blocked)",
        ),
        (
            look_up("blocked", r#", member = "country""#),
            &["blocked"],
            blocked,
            6,
            "the dataset `blocked`, which has no records",
        ),
        (
            look_up("blocked", ""),
            &["blocked"],
            "[datasets.blocked]\nnetworks = \"none.txt\"",
            11,
            "none.txt: cannot be read: No such file",
        ),
        (
            look_up("blocked", ""),
            &["blocked"],
            "[datasets.blocked]\nregexes = \"bad.txt\"",
            11,
            "bad.txt:2: regular expression `(b`: unclosed group",
        ),
        (
            look_up("blocked", ""),
            &["blocked"],
            "[datasets.blocked]\nmmdb = \"bad.txt\"",
            11,
            "bad.txt: it is not a database in the MaxMind format",
        ),
    ] {
        let config = config(&policy, granted, datasets);
        let found = errors(folder.path(), &config).await;
        let [error] = &found[..] else {
            panic!("{policy} {datasets}: {found:#?}");
        };
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{policy} {datasets}: {message}");
        assert_eq!(error["line"], line, "{policy} {datasets}: {error}");
    }
}

#[tokio::test]
async fn check_lists_datasets_and_what_to_know_of_them() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    write(folder.path(), "tenants.txt", "# nobody\n");
    let policy = r#"{ look_up = [{ dataset = "geo", key = "client_ip", member = "a" }], call = ["tenants"] }"#;
    let config = config(policy, &["geo", "tenants"], ALL);
    let checked = janua(folder.path(), &config, &["check"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for words in [
        "dataset `blocked` is not used",
        "dataset `attacks` is not used",
        "tenants.txt has no entries: nothing is found in it",
        "dataset:geo, dataset:tenants",
    ] {
        assert!(checked.stdout.contains(words), "{}", checked.stdout);
    }
    let lines: Vec<Vec<&str>> = checked
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for (name, kind, entries, user) in [
        ("blocked", "networks", "3", "-"),
        ("tenants", "strings", "0", "p"),
        ("attacks", "regexes", "2", "-"),
        ("geo", "mmdb", "2", "p"),
    ] {
        let is_row = |words: &&Vec<&str>| words.starts_with(&[name, kind, entries]);
        let row = lines.iter().find(is_row);
        let row = row.unwrap_or_else(|| panic!("{name}: {}", checked.stdout));
        assert_eq!(row.last(), Some(&user));
    }
    let json = janua(folder.path(), &config, &["check", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["datasets"][2]["name"], "geo");
    assert_eq!(json["datasets"][2]["users"][0], "p");
}
