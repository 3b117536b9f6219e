use std::path::Path;

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

/// Opens the folder and the journal as the next process does.
fn next(path: &Path) -> (Arc<Folder>, Journal, Vec<Line>) {
    let folder = Arc::new(Folder::open(path).unwrap());
    let (journal, _, lines) = open(&folder);
    (folder, journal, lines)
}

#[test]
fn a_journal_that_cannot_be_read_purges_everything() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c");
    let journal_at = path.join("journal");
    drop(next(&path));
    let (_, journal, lines) = next(&path);
    assert_eq!(lines.len(), 0, "an empty one is whole");
    journal.add(&Scope::Tag(b"a"), Purge::Hard, 1);
    journal.add(&Scope::Tag(b"b"), Purge::Hard, 2);
    journal.flush().unwrap();
    drop(journal);
    let whole = std::fs::read(&journal_at).unwrap();
    let mut torn = vec![None];
    torn.extend((0..whole.len()).map(|length| Some(whole[..length].to_vec())));
    torn.extend((0..whole.len()).map(|place| {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        Some(damaged)
    }));
    // A file cut after a complete record looks complete; a crash cannot cut there.
    let (_, rest) = whole.split_at(HEADER);
    let one = HEADER + 12 + u32::from_le_bytes(*rest.first_chunk().unwrap()) as usize;
    for (number, content) in torn.into_iter().enumerate() {
        let at_end_of_record = content
            .as_ref()
            .is_some_and(|content| content.len() == one || content.len() == HEADER);
        match content {
            Some(content) => std::fs::write(&journal_at, content).unwrap(),
            None => std::fs::remove_file(&journal_at).unwrap(),
        }
        let (folder, _, lines) = next(&path);
        let all = lines.iter().find(|line| line.0 == "All");
        assert_eq!(all.is_none(), at_end_of_record, "{number}: {lines:?}");
        if let Some((_, purge, level)) = all {
            assert_eq!((*purge, *level), (Purge::Hard, folder.first_number()));
            // That purge is in the journal like any other.
            drop(folder);
            assert!(next(&path).2.iter().any(|line| line.0 == "All"));
        }
    }
}

#[test]
fn what_a_full_disk_tore_is_written_anew() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c");
    drop(next(&path));
    let (folder, journal, _) = next(&path);
    let journal_at = path.join("journal");
    // The open file cannot be written, and no other file can be created.
    let blocked = path.join("tmp-journal");
    let refuse = |journal: &Journal| {
        *lock(&journal.file) = Some(File::open(&journal_at).unwrap());
        std::fs::create_dir(&blocked).unwrap();
    };
    refuse(&journal);
    journal.add(&Scope::Tag(b"a"), Purge::Hard, 1);
    assert!(journal.flush().is_err());
    // A full disk has cut the record.
    let mut content = std::fs::read(&journal_at).unwrap();
    content.extend_from_slice(&[40, 0, 0, 0, 1, 2, 3]);
    std::fs::write(&journal_at, &content).unwrap();
    std::fs::remove_dir(&blocked).unwrap();
    journal.add(&Scope::Tag(b"b"), Purge::Hard, 2);
    journal.flush().unwrap();

    // The same if a sweep could not rewrite the journal.
    refuse(&journal);
    journal.add(&Scope::Tag(b"c"), Purge::Hard, 3);
    assert!(journal.clear(1).is_err());
    assert!(journal.flush().is_err(), "it is not on the disk yet");
    std::fs::remove_dir(&blocked).unwrap();
    journal.flush().unwrap();
    drop((journal, folder));
    let numbers: Vec<u64> = next(&path).2.iter().map(|line| line.2).collect();
    assert_eq!(numbers, [2, 3]);
}
