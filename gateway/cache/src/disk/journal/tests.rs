use tempfile::TempDir;

use super::*;

type Line = (String, Purge, u64);

fn open(folder: &Arc<Folder>) -> (Journal, u64, Vec<Line>) {
    let mut lines = Vec::new();
    let (journal, cleared) = Journal::open(folder, &mut |scope, purge, number| {
        lines.push((format!("{scope:?}"), purge, number));
    })
    .unwrap();
    lines.sort_by_key(|line| line.2);
    (journal, cleared, lines)
}

fn scopes() -> Vec<(Scope<'static>, Purge)> {
    vec![
        (
            Scope::Url {
                scheme: b"https",
                host: b"h",
                path: b"/p",
                query: Some(b""),
            },
            Purge::Hard,
        ),
        (
            Scope::Url {
                scheme: b"http",
                host: b"h",
                path: b"/p",
                query: None,
            },
            Purge::Soft { now_ms: 7 },
        ),
        (
            Scope::Prefix {
                host: b"h",
                path: b"/a",
            },
            Purge::Hard,
        ),
        (Scope::Host(b"h"), Purge::Soft { now_ms: u64::MAX }),
        (Scope::Tag(b"\xff t"), Purge::Hard),
        (Scope::All, Purge::Hard),
    ]
}

#[test]
fn lines_are_read_back_and_cleared() {
    let folder = TempDir::new().unwrap();
    let folder = Arc::new(Folder::open(&folder.path().join("c")).unwrap());
    let (journal, cleared, lines) = open(&folder);
    assert_eq!((cleared, lines.len()), (0, 0));
    for (number, (scope, purge)) in scopes().iter().enumerate() {
        journal.add(scope, *purge, number as u64 + 1);
        journal.flush().unwrap();
    }
    drop(journal);
    let (journal, _, lines) = open(&folder);
    let wanted: Vec<Line> = scopes()
        .iter()
        .enumerate()
        .map(|(number, (scope, purge))| (format!("{scope:?}"), *purge, number as u64 + 1))
        .collect();
    assert_eq!(lines, wanted);
    journal.clear(4).unwrap();
    journal.add(&Scope::Host(b"x"), Purge::Hard, 7);
    journal.flush().unwrap();
    drop(journal);
    let (_, cleared, lines) = open(&folder);
    assert_eq!(cleared, 4);
    let numbers: Vec<u64> = lines.iter().map(|line| line.2).collect();
    assert_eq!(numbers, [5, 6, 7]);
}

#[test]
fn a_torn_journal_gives_back_what_is_whole() {
    let folder = TempDir::new().unwrap();
    let folder = Arc::new(Folder::open(&folder.path().join("c")).unwrap());
    let (journal, ..) = open(&folder);
    for (number, (scope, purge)) in scopes().iter().enumerate() {
        journal.add(scope, *purge, number as u64 + 1);
    }
    journal.flush().unwrap();
    let path = folder.path().join("journal");
    let whole = std::fs::read(&path).unwrap();
    let mut seen = Vec::new();
    for length in 0..=whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        seen.push(open(&folder).2.len());
    }
    assert!(seen.is_sorted());
    assert_eq!(*seen.last().unwrap(), scopes().len());
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert!(open(&folder).2.len() < scopes().len(), "byte {place}");
    }
}

#[test]
fn too_many_lines_purge_everything() {
    let folder = TempDir::new().unwrap();
    let folder = Arc::new(Folder::open(&folder.path().join("c")).unwrap());
    let (journal, ..) = open(&folder);
    for number in 0..MAX_LINES as u64 + 5 {
        journal.add(&Scope::Tag(&number.to_le_bytes()), Purge::Hard, number + 1);
    }
    journal.flush().unwrap();
    let (_, _, lines) = open(&folder);
    assert!(lines.iter().any(|line| line.0 == "All"));
}
