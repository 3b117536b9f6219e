//! The process that compiles components: it meets its limits, and ends with whoever waits
//! for it.

use janua_tests::{Gateway, Proxy, Settings, Upstream, assert_eventually, binary, eventually, run};
use rustix::process::{Pid, Signal, kill_process};

use crate::policies_hostile::{large_function, of_file, slow_function, with};
use crate::policies_load::janua;

/// What cannot be seen in the structure meets a limit of the process that compiles.
#[tokio::test]
async fn a_function_that_costs_too_much_is_refused_everywhere() {
    let words = "compiling it takes more than 2048 MiB of memory";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.wasm"), large_function()).unwrap();
    let ran = run(folder.path(), &["policy", "inspect", "x.wasm"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    let checked = janua(folder.path(), &of_file(), &["check"]).await;
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

/// The processes that a gateway has started.
fn children(gateway: &Gateway) -> Vec<i32> {
    children_of(gateway.pid())
}

/// Waits until a gateway compiles, and returns the process that does.
async fn child_of(gateway: &Gateway) -> i32 {
    assert_eventually!(!children(gateway).is_empty());
    children(gateway)[0]
}

/// Makes a gateway compile something slow, by a signal. Returns the process that does.
async fn made_to_compile(gateway: &Gateway, proxy: &Proxy) -> i32 {
    gateway.write_config(with(gateway, proxy, &slow_function()));
    gateway.signal(Signal::HUP);
    child_of(gateway).await
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
        let child = child_of(gateway).await;
        assert_eq!(gateway.get("/").await.status, 200);
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
    let child = made_to_compile(&gateway, &proxy).await;
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
    // The reload is refused a moment after its compiler has ended.
    let refused = eventually(async || {
        let status = gateway.status().await;
        let last = status["last_reload"].to_string();
        last.contains("given up").then_some(())
    });
    assert!(refused.await.is_some());
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
    std::fs::write(folder.path().join("janua.toml"), of_file()).unwrap();
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
        kill_process(pid, Signal::TERM).unwrap();
        assert_eventually!(!exists(child));
        command.wait().unwrap();
    }
}

#[tokio::test]
async fn the_compiler_does_not_outlive_a_killed_gateway() {
    let upstream = Upstream::echo().await;
    let proxy = Proxy::to(upstream.endpoint());
    let mut gateway = Gateway::start(&proxy).await;
    let child = made_to_compile(&gateway, &proxy).await;
    gateway.kill().await;
    assert_eventually!(!exists(child));
}
