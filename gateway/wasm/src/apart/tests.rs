//! Every way in which a child can end, with shells as children.

use super::*;

/// What a gateway says about a component whose compiler is this script.
fn with(script: &str) -> Result<Artefact, LoadError> {
    Apart::new("/bin/sh", &["-c", script]).compile(b"a component")
}

fn refusal(script: &str) -> String {
    match with(script) {
        Ok(_) => panic!("{script}: accepted"),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn each_death_is_a_refusal() {
    let table = [
        ("kill -ABRT $$", "checking its structure failed (signal: 6"),
        ("printf v; kill -SEGV $$", "compiling it failed (signal: 11"),
        (
            "printf v; kill -XCPU $$",
            "compiling it takes more than 90 s of CPU time",
        ),
        (
            "kill -XCPU $$",
            "checking its structure takes more than 5 s of CPU time",
        ),
        ("kill -KILL $$", "was killed from outside"),
        (
            "printf v; echo memory allocation of 7 bytes failed >&2; kill -ABRT $$",
            "compiling it takes more than 2048 MiB of memory",
        ),
        (
            "echo \"thread 'x' has overflowed its stack\" >&2; kill -ABRT $$",
            "nested too deeply",
        ),
        (
            "echo why >&2; exit 101",
            "checking its structure failed (exit status: 101): why",
        ),
        ("printf v; exit 1", "compiling it failed (exit status: 1)"),
        // It succeeds without a word, or with half a compiled component.
        ("exit 0", "checking its structure failed (exit status: 0)"),
        ("printf v; exit 0", "arrived incomplete"),
        ("printf vabc; exit 0", "arrived incomplete"),
        ("printf 'no good'; exit 3", "no good"),
        ("printf v; printf 'no good'; exit 3", "no good"),
    ];
    for (script, words) in table {
        let found = refusal(script);
        assert!(found.contains(words), "{script}: {found}");
    }
}

/// A child that has closed its output and continues is not waited for.
#[test]
fn a_child_without_output_is_ended() {
    let begin = Instant::now();
    refusal("exec >&-; exec sleep 60");
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_program_that_is_missing_is_not_the_fault_of_the_component() {
    let missing = Apart::new("/nowhere/janua", &[]).compile(b"a component");
    let Err(refusal) = missing else {
        panic!("accepted")
    };
    assert!(
        refusal
            .to_string()
            .contains("not the fault of the component")
    );
}

#[test]
fn what_arrives_whole_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("artefact");
    std::fs::write(&file, Artefact::new(b"code").bytes()).unwrap();
    let found = with(&format!("printf v; cat {}", file.display())).unwrap();
    assert_eq!(found.bytes(), Artefact::new(b"code").bytes());
}

/// The component is the input, and the environment of the gateway is not handed on.
#[test]
fn the_child_sees_the_component_and_no_environment() {
    let found = refusal("cat; printf ' %s' \"$CARGO_MANIFEST_DIR\"; exit 3");
    assert_eq!(found, "a component");
}

#[test]
fn a_stop_ends_the_child_in_progress_and_refuses_the_next() {
    let apart = Apart::new("/bin/sh", &["-c", "exec sleep 60"]);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| apart.compile(b"a component").err());
        apart.stop();
        assert_eq!(running.join().unwrap(), Some(LoadError::Stopped));
    });
    assert_eq!(apart.compile(b"another").err(), Some(LoadError::Stopped));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn no_more_children_than_cores() {
    let apart = Apart::new("/bin/sh", &["-c", "exit 1"]);
    let places: Vec<_> = (0..cores()).map(|_| apart.place()).collect();
    assert_eq!(*apart.free.lock().unwrap(), 0);
    drop(places);
    assert_eq!(*apart.free.lock().unwrap(), cores());
}
