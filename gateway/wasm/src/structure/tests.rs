//! Each limit, just below and just above it.

use super::limits::*;
use super::*;
use crate::features::ALLOWED;

fn read(wat: &str) -> Result<Totals, Fault> {
    let bytes = wat::parse_str(format!("(component {wat})")).unwrap();
    Structure::read(&bytes, ALLOWED).map(|structure| structure.totals)
}

/// Checks that this many are accepted, and one more is refused with these words.
fn up_to(limit: u64, words: &str, wat: impl Fn(usize) -> String) {
    let limit = usize::try_from(limit).unwrap();
    let found = read(&wat(limit));
    assert!(found.is_ok(), "{words}: {found:?}");
    match read(&wat(limit + 1)) {
        Err(Fault::Excess(why)) => assert!(why.contains(words), "{why}"),
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn nesting_is_limited() {
    up_to(MAX_DEPTH, "levels of nested components", |n| {
        "(component ".repeat(n) + &")".repeat(n)
    });
    for kind in ["component", "instance"] {
        // The outermost type is the first level.
        up_to(MAX_TYPE_DEPTH - 1, "levels of nested types", |n| {
            format!("(type ({kind} ").repeat(n) + &"))".repeat(n)
        });
    }
}

#[test]
fn numbers_are_limited() {
    // The component itself is one.
    up_to(MAX_PARTS - 1, "components and modules", |n| {
        "(core module)".repeat(n)
    });
    up_to(MAX_ITEMS, "items in components", |n| "(type u8)".repeat(n));
    up_to(MAX_MODULE_ITEMS, "items in modules", |n| {
        format!("(core module {})", "(global i32 i32.const 0)".repeat(n))
    });
}

#[test]
fn a_large_function_is_refused() {
    let function = |n| format!("(core module (func {}))", "nop ".repeat(n));
    // The number of its locals and its end are two bytes more.
    up_to(MAX_FUNCTION - 2, "bytes in one function", function);
}

/// Each component instantiates the one before it ten times.
#[test]
fn instances_are_counted_as_often_as_they_are_made() {
    let tenfold = |levels: usize| {
        let mut wat = "(component $c0 (type u8))".to_owned();
        for level in 1..=levels {
            let inner = level - 1;
            let instances = format!("(instance (instantiate $c{inner}))").repeat(10);
            // It sees the one before through an alias of the outer component.
            wat += &format!("(component $c{level} {instances})");
        }
        wat
    };
    let read = |levels| {
        read(&format!(
            "{}(instance (instantiate $c{levels}))",
            tenfold(levels)
        ))
    };
    assert!(read(3).is_ok());
    match read(5) {
        Err(Fault::Excess(why)) => assert!(why.contains("items in all instances"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// What a module defines is there once for each of its instances.
#[test]
fn what_modules_define_is_counted_as_often_as_they_are_instantiated() {
    for (one, limit, words) in [
        ("(memory 1)", MAX_MEMORIES, "memories in all instances"),
        ("(table 1 funcref)", MAX_TABLES, "tables in all instances"),
    ] {
        let instances = |n| "(core instance (instantiate $m))".repeat(n);
        up_to(limit, words, |n| {
            format!("(core module $m {one}) {}", instances(n))
        });
        up_to(limit, words, |n| {
            let module = format!("(core module $m {})", one.repeat(n));
            format!("{module} {}", instances(1))
        });
    }
    let globals = "(global i32 i32.const 0)".repeat(10_000);
    let words = "definitions in all instances of modules";
    up_to(MAX_DEFINITIONS / 10_000, words, |n| {
        let instances = "(core instance (instantiate $m))".repeat(n);
        format!("(core module $m {globals}) {instances}")
    });
}

/// The cost of what is passed is not known before it is instantiated.
#[test]
fn components_are_not_passed_as_values() {
    for wat in [
        "(component (import \"c\" (component)))",
        "(component (import \"m\" (core module)))",
        "(component (core module))",
    ] {
        let passes = wat.contains("import");
        let found = read(wat);
        assert_eq!(
            matches!(found, Err(Fault::Excess(_))),
            passes,
            "{wat}: {found:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_not_valid() {
    let whole = wat::parse_str("(component (type (component (type u8))))").unwrap();
    for length in 8..whole.len() {
        let found = Structure::read(&whole[..length], ALLOWED).map(|_| ());
        // It ends between two sections, or it is torn.
        assert!(
            matches!(found, Ok(()) | Err(Fault::Invalid(_))),
            "{length}: {found:?}"
        );
    }
}
