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
        (
            "printf '\\006'; kill -SEGV $$",
            "compiling it failed (signal: 11",
        ),
        (
            "printf '\\006'; kill -XCPU $$",
            "compiling it takes more than 90 s of CPU time",
        ),
        (
            "kill -XCPU $$",
            "checking its structure takes more than 5 s of CPU time",
        ),
        ("kill -KILL $$", "was killed from outside"),
        (
            "printf '\\006'; echo memory allocation of 7 bytes failed >&2; kill -ABRT $$",
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
        (
            "printf '\\006'; exit 1",
            "compiling it failed (exit status: 1)",
        ),
        // It succeeds without a word, or with half a compiled component.
        ("exit 0", "checking its structure failed (exit status: 0)"),
        ("printf '\\006'; exit 0", "arrived incomplete"),
        ("printf '\\006abc'; exit 0", "arrived incomplete"),
        ("printf 'no good'; exit 3", "no good"),
        ("printf '\\006'; printf 'no good'; exit 3", "no good"),
    ];
    for (script, words) in table {
        let found = refusal(script);
        assert!(found.contains(words), "{script}: {found}");
    }
}

/// A child that has closed its output and continues is not waited for.
#[test]
fn a_child_without_output_is_ended() {
    let found = refusal("exec >&-; exec sleep 1000");
    assert!(found.contains("was killed from outside"), "{found}");
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
    let found = with(&format!("printf '\\006'; cat {}", file.display())).unwrap();
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
    let apart = Apart::new("/bin/sh", &["-c", "exec sleep 1000"]);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| apart.compile(b"a component").err());
        apart.stop();
        assert_eq!(running.join().unwrap(), Some(LoadError::Stopped));
    });
    assert_eq!(apart.compile(b"another").err(), Some(LoadError::Stopped));
}

#[test]
fn a_child_for_which_nobody_waits_any_more_is_ended() {
    let apart = Apart::new("/bin/sh", &["-c", "exec sleep 1000"]);
    let abandoned = Arc::new(AtomicBool::new(false));
    apart.set_abandoned(Some(Arc::clone(&abandoned)));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| apart.compile(b"a component").err());
        abandoned.store(true, Ordering::Relaxed);
        assert_eq!(running.join().unwrap(), Some(LoadError::Abandoned));
    });
    // The next is for somebody else.
    apart.set_abandoned(None);
    let next = Apart {
        arguments: vec!["-c".into(), "exit 1".into()],
        ..apart
    };
    let next = next.compile(b"another").err();
    assert!(matches!(next, Some(LoadError::Died(_))), "{next:?}");
}

#[test]
fn no_more_children_than_cores() {
    let apart = Apart::new("/bin/sh", &["-c", "exit 1"]);
    let places: Vec<_> = (0..cores()).map(|_| apart.place()).collect();
    assert_eq!(*apart.free.lock().unwrap(), 0);
    drop(places);
    assert_eq!(*apart.free.lock().unwrap(), cores());
}
