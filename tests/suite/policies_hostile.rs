//! Components that are made to harm whoever loads them: `check`, `policy inspect` and a
//! reload refuse them, soon and with a reason, and a running gateway continues.

use janua_tests::{Gateway, Proxy, Upstream, run};

use crate::policies_load::{errors, fixtures};

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// A number in LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 127) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 128);
    }
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &*leb(content.len()), content].concat()
}

fn named(name: &str) -> Vec<u8> {
    [&*leb(name.len()), name.as_bytes()].concat()
}

/// A component that claims to be a policy, so that it is not refused for that.
fn policy(sections: &[u8]) -> Vec<u8> {
    let export = [&[1, 0], &*named("janua:policy/policies@0.1.0"), &[5, 0, 0]].concat();
    let instance = section(5, &[1, 1, 0]);
    [COMPONENT, &instance, sections, &section(11, &export)].concat()
}

fn nested_types() -> Vec<u8> {
    let types = [&[1], &*b"\x41\x01\x01".repeat(2_000), b"\x41\x00"].concat();
    policy(&section(7, &types))
}

fn nested_components(levels: usize) -> Vec<u8> {
    let inner = |inner: Vec<u8>, _| [COMPONENT, &section(4, &inner)].concat();
    let nested = (0..levels).fold(COMPONENT.to_vec(), inner);
    policy(&section(4, &nested))
}

fn many_components() -> Vec<u8> {
    let inner = [COMPONENT, &section(4, COMPONENT).repeat(35)].concat();
    policy(&section(4, &inner).repeat(900))
}

/// Each level instantiates the one below it eight times: 8^7 instances.
fn instances_of_instances() -> Vec<u8> {
    let instances = section(5, &[&[8][..], &[0, 0, 0].repeat(8)].concat());
    let outer = |inner: Vec<u8>, _| [COMPONENT, &section(4, &inner), &instances].concat();
    let nested = (0..7).fold(COMPONENT.to_vec(), outer);
    policy(&section(4, &nested))
}

fn many_imports() -> Vec<u8> {
    let import = |n: usize| [&[0], &*named(&format!("a{n}")), &[1, 0]].concat();
    let imports = (0..90_000).map(import).collect::<Vec<_>>().concat();
    let function = section(7, b"\x01\x40\x00\x01\x00");
    policy(&[function, section(10, &[leb(90_000), imports].concat())].concat())
}

/// A hundred tables of ten million elements, and a hundred memories of 4 GiB.
fn huge_declarations(id: u8, one: &[u8]) -> Vec<u8> {
    let module = [MODULE, &section(id, &[&[100], &*one.repeat(100)].concat())].concat();
    policy(&section(1, &module))
}

/// A module of one KB, instantiated again and again.
fn instances_of_a_module(id: u8, one: &[u8], times: usize) -> Vec<u8> {
    let module = [MODULE, &section(id, &[&[1], one].concat())].concat();
    let instance = section(2, &[&[1], &b"\x00\x00\x00"[..]].concat());
    let instances = instance.repeat(times);
    policy(&[section(1, &module), instances].concat())
}

/// 29 KB that take minutes to compile.
pub(crate) fn slow_function() -> Vec<u8> {
    function(300, 3_000)
}

/// 340 KB for which the compiler would take many GiB.
pub(crate) fn large_function() -> Vec<u8> {
    let function = function(3_000, 32_000);
    assert!((300 << 10..400 << 10).contains(&function.len()));
    function
}

/// A function in which each of these loops gives each of these variables a value that depends
/// on the way there.
fn function(loops: usize, variables: usize) -> Vec<u8> {
    let change = |n: usize| [b"\x20", &*leb(n), b"\x41\x01\x6a\x21", &*leb(n)].concat();
    let body = [
        &*[b"\x01", &*leb(variables), b"\x7f"].concat(),
        &b"\x03\x40".repeat(loops),
        &(1..=variables).map(change).collect::<Vec<_>>().concat(),
        &b"\x20\x00\x0d\x00\x0b".repeat(loops),
        b"\x20\x00\x0b",
    ]
    .concat();
    let module = [
        MODULE,
        &section(1, b"\x01\x60\x01\x7f\x01\x7f"),
        &section(3, b"\x01\x00"),
        &section(10, &[b"\x01", &*leb(body.len()), &body].concat()),
    ]
    .concat();
    policy(&section(1, &module))
}

/// Each with words of its refusal.
fn structures() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        ("types", nested_types(), "17 levels of nested types"),
        (
            "deep",
            nested_components(2_000),
            "9 levels of nested components",
        ),
        (
            "deeper",
            nested_components(20_000),
            "9 levels of nested components",
        ),
        ("many", many_components(), "501 components and modules"),
        (
            "instances",
            instances_of_instances(),
            "items in all instances",
        ),
        (
            "imports",
            many_imports(),
            "items in components, and at most 50000",
        ),
        ("large", [COMPONENT, &vec![0; 64 << 20]].concat(), "bytes"),
        (
            "tables",
            huge_declarations(
                4,
                &[b"\x70\x01", &*leb(10_000_000), &leb(10_000_000)].concat(),
            ),
            "types of this component differ",
        ),
        (
            "memories",
            huge_declarations(5, &[b"\x01", &*leb(65_536), &leb(65_536)].concat()),
            "types of this component differ",
        ),
        (
            "many-tables",
            instances_of_a_module(4, &[b"\x70\x00", &*leb(1_000_000)].concat(), 80),
            "65 tables in all instances, and at most 64",
        ),
        (
            "many-memories",
            instances_of_a_module(5, b"\x00\x01", 95),
            "5 memories in all instances, and at most 4",
        ),
    ]
}

#[tokio::test]
async fn inspect_refuses_each() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, words) in structures() {
        let file = format!("{name}.wasm");
        std::fs::write(folder.path().join(&file), bytes).unwrap();
        let ran = run(folder.path(), &["policy", "inspect", &file]).await;
        assert_eq!(ran.code, Some(1), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(&file), "{name}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn check_refuses_all_at_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = String::new();
    for (name, bytes, _) in structures() {
        std::fs::write(folder.path().join(format!("{name}.wasm")), bytes).unwrap();
        config += &format!("[policies.{name}]\ncomponent = \"{name}.wasm\"\n");
    }
    let found = errors(
        folder.path(),
        &format!("{config}{}", Proxy::to("127.0.0.1:9")),
    )
    .await;
    assert_eq!(found.len(), structures().len(), "{found:#?}");
    for (place, (name, _, words)) in structures().iter().enumerate() {
        let error = &found[place];
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{name}: {message}");
        assert_eq!(error["line"], place * 2 + 2, "{name}");
    }
}

#[tokio::test]
async fn a_gateway_survives_the_reload() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let gateway = Gateway::start(&proxy).await;
    let before = gateway.rss_kib();
    for (name, bytes, words) in structures() {
        let refused = gateway.try_reload(with(&gateway, &proxy, &bytes)).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(words), "{name}: {refused}");
        assert_eq!(gateway.get("/").await.status, 200, "{name}");
    }
    let grown = gateway.rss_kib().saturating_sub(before);
    assert!(grown < 200 << 10, "{grown} KiB");
}

/// No file is read as a whole before its size is known.
#[tokio::test]
async fn a_file_of_any_size_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // It has a hole, so that it takes no space.
    let file = std::fs::File::create(folder.path().join("x.wasm")).unwrap();
    file.set_len(1 << 40).unwrap();
    let words = "1099511627776 bytes, and at most 67108864 are allowed";
    let ran = run(folder.path(), &["policy", "inspect", "x.wasm"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let found = errors(folder.path(), &of_file()).await;
    assert!(found[0]["message"].as_str().unwrap().contains(words));
    assert_eq!(found[0]["line"], 2);
}

/// Each in a component of its own, in `fixtures/features`.
#[tokio::test]
async fn features_that_no_supported_language_needs_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let features = fixtures().join("features");
    let mut names = Vec::new();
    let mut config = String::new();
    for entry in std::fs::read_dir(features).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let bytes = wat::parse_file(&path).unwrap();
        std::fs::write(folder.path().join(format!("{name}.wasm")), bytes).unwrap();
        config += &format!("[policies.{name}]\ncomponent = \"{name}.wasm\"\n");
        names.push(name);
    }
    assert!(names.len() >= 12, "{names:?}");
    let config = format!("{config}{}", Proxy::to("127.0.0.1:9"));
    let found = errors(folder.path(), &config).await;
    assert_eq!(found.len(), names.len(), "{found:#?}");
    for (error, name) in found.iter().zip(&names) {
        let message = error["message"].as_str().unwrap();
        let uses = message.strip_prefix("this component uses ");
        let uses = uses.and_then(|rest| rest.split_once(", which policies may not use"));
        let uses = uses.unwrap_or_else(|| panic!("{name}: {message}")).0;
        assert!(
            uses.split(", ").any(|used| used == name),
            "{name}: {message}"
        );
    }
}

/// A configuration with the component `x.wasm`, for commands: nothing serves it.
pub(crate) fn of_file() -> String {
    let proxy = Proxy::to("127.0.0.1:9");
    format!("[policies.x]\ncomponent = \"x.wasm\"\n{proxy}")
}

/// A configuration with this component.
pub(crate) fn with(gateway: &Gateway, proxy: &Proxy, component: &[u8]) -> String {
    std::fs::write(gateway.directory().join("hostile.wasm"), component).unwrap();
    format!("[policies.hostile]\ncomponent = \"hostile.wasm\"\n{proxy}")
}
