//! Components that are made to harm whoever loads them: `check`, `policy inspect` and a
//! reload refuse them, soon and with a reason, and a running gateway continues.

use janua_tests::{Gateway, Proxy, Settings, Upstream, assert_eventually, binary, run};
use rustix::process::{Pid, Signal, kill_process};

use crate::policies_load::{errors, fixtures, janua};

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
fn slow_function() -> Vec<u8> {
    function(300, 3_000)
}

/// 340 KB for which the compiler would take many GiB.
fn large_function() -> Vec<u8> {
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

/// What cannot be seen in the structure meets a limit of the process that compiles.
#[tokio::test]
async fn a_function_that_costs_too_much_is_refused_everywhere() {
    let words = "compiling it takes more than 2048 MiB of memory";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.wasm"), large_function()).unwrap();
    let ran = run(folder.path(), &["policy", "inspect", "x.wasm"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let config = format!(
        "[policies.x]\ncomponent = \"x.wasm\"\n{}",
        Proxy::to("127.0.0.1:9")
    );
    let checked = janua(folder.path(), &config, &["check"]).await;
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    assert!(checked.stderr.contains(words), "{}", checked.stderr);

    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let gateway = Gateway::start(&proxy).await;
    let config = with(&gateway, &proxy, &large_function());
    let refused = gateway.try_reload(config).await.unwrap_err().to_string();
    assert!(refused.contains(words), "{refused}");
    assert_eq!(gateway.get("/").await.status, 200);
    assert!(children(&gateway).is_empty());
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
    let config = format!(
        "[policies.x]\ncomponent = \"x.wasm\"\n{}",
        Proxy::to("127.0.0.1:9")
    );
    let found = errors(folder.path(), &config).await;
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

/// A configuration with this component.
fn with(gateway: &Gateway, proxy: &Proxy, component: &[u8]) -> String {
    std::fs::write(gateway.directory().join("hostile.wasm"), component).unwrap();
    format!("[policies.hostile]\ncomponent = \"hostile.wasm\"\n{proxy}")
}

/// The processes that a gateway has started.
fn children(gateway: &Gateway) -> Vec<i32> {
    children_of(gateway.pid())
}

/// Waits until a gateway compiles, and returns the process that does.
async fn child_of(gateway: &Gateway) -> i32 {
    assert_eventually!(!children(gateway).is_empty());
    children(gateway)[0]
}

fn children_of(process: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(|id| id.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn exists(id: i32) -> bool {
    // A process that has ended and is not waited for yet has no memory any more.
    let statm = std::fs::read_to_string(format!("/proc/{id}/statm"));
    statm.is_ok_and(|statm| !statm.starts_with("0 "))
}

/// Starts to compile something slow, and does something then. Returns the process that has
/// compiled it, and the result of the reload.
async fn while_compiling(
    gateway: &Gateway,
    proxy: &Proxy,
    act: impl Fn(i32),
) -> (i32, Result<serde_json::Value, serde_json::Value>) {
    let config = with(gateway, proxy, &slow_function());
    let reload = gateway.try_reload(config);
    let acting = async {
        assert_eventually!(!children(gateway).is_empty());
        assert_eq!(gateway.get("/").await.status, 200);
        let child = children(gateway)[0];
        act(child);
        child
    };
    let (result, child) = tokio::join!(reload, acting);
    (child, result)
}

#[tokio::test]
async fn a_killed_compiler_is_a_refusal() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let gateway = Gateway::start(&proxy).await;
    let kill = |child| kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    let (_, refused) = while_compiling(&gateway, &proxy, kill).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("was killed from outside"), "{refused}");
    assert_eq!(gateway.get("/").await.status, 200);
    assert!(children(&gateway).is_empty());
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_compiler() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let mut gateway = Gateway::start(&proxy).await;
    let config = with(&gateway, &proxy, &slow_function());
    gateway.write_config(config);
    gateway.signal(Signal::HUP);
    assert_eventually!(!children(&gateway).is_empty());
    let child = children(&gateway)[0];
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await, Some(0));
    assert_eventually!(!exists(child));
}

/// A client that gives up, as `janua reload` does with Ctrl-C.
#[tokio::test]
async fn a_client_that_leaves_ends_the_compiler_of_its_reload() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let mut gateway = Gateway::start(&proxy).await;
    let config = with(&gateway, &proxy, &slow_function());
    let reload = gateway.try_reload(config);
    let child = tokio::select! {
        outcome = reload => panic!("{outcome:?}"),
        child = child_of(&gateway) => child,
    };
    assert_eventually!(!exists(child));
    let status = gateway.status().await;
    assert!(
        status["last_reload"].to_string().contains("given up"),
        "{status}"
    );
    gateway.reload(proxy.to_string()).await;
}

/// A command takes the place of a reload for changed files.
#[tokio::test]
async fn a_command_ends_the_compiler_of_changed_files() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let mut gateway = Settings::new().watch().start(&proxy).await;
    let config = with(&gateway, &proxy, &slow_function());
    // Nobody but the watcher is told.
    gateway.write_config(config);
    let child = child_of(&gateway).await;
    gateway.reload(proxy.to_string()).await;
    assert_eventually!(!exists(child));
}

/// `check` and `policy inspect`, like any process that ends, take their compiler with them.
#[tokio::test]
async fn the_compiler_of_a_command_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.wasm"), slow_function()).unwrap();
    let config = format!(
        "[policies.x]\ncomponent = \"x.wasm\"\n{}",
        Proxy::to("127.0.0.1:9")
    );
    std::fs::write(folder.path().join("janua.toml"), config).unwrap();
    for arguments in [&["check"][..], &["policy", "inspect", "x.wasm"]] {
        let mut command = std::process::Command::new(binary())
            .args(arguments)
            .current_dir(folder.path())
            .spawn()
            .unwrap();
        let parent = i32::try_from(command.id()).unwrap();
        assert_eventually!(!children_of(parent).is_empty());
        let child = children_of(parent)[0];
        let pid = Pid::from_raw(parent).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert_eventually!(!exists(child));
        command.wait().unwrap();
    }
}

#[tokio::test]
async fn the_compiler_does_not_outlive_a_killed_gateway() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let mut gateway = Gateway::start(&proxy).await;
    let config = with(&gateway, &proxy, &slow_function());
    gateway.write_config(config);
    gateway.signal(Signal::HUP);
    assert_eventually!(!children(&gateway).is_empty());
    let child = children(&gateway)[0];
    gateway.kill().await;
    assert_eventually!(!exists(child));
}
