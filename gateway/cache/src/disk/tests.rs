use std::collections::HashSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use janua_http::Fields;
use janua_http::accept_encoding::Coding;
use tempfile::TempDir;

use super::known::on_disk;
use super::*;
use crate::rules::Terms;
use crate::testing::{self, MIB, Tests, eventually, find, store};
use crate::{Cache, DiskOptions, Found, Key, Options, Variance};

fn options(folder: &Path) -> Options {
    Options {
        memory_bytes: 16 * MIB,
        max_object: MIB,
        disk: Some(DiskOptions {
            path: folder.join("cache"),
            bytes: 64 * MIB,
        }),
    }
}

fn open(folder: &Path) -> Tests {
    let cache = Cache::open(&options(folder)).unwrap();
    eventually("scanned", || !figures(&cache).scanning);
    cache
}

fn figures(cache: &Tests) -> DiskFigures {
    cache.status().disk.unwrap()
}

/// Closes the cache, which writes queued files, and opens it again.
fn restart(cache: Tests, folder: &Path) -> Tests {
    drop(cache);
    open(folder)
}

/// The files of responses.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(folder.join("cache")).unwrap().flatten() {
        if folder.metadata().unwrap().is_dir() {
            for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
                files.push(file.path());
            }
        }
    }
    files
}

fn path_of(folder: &Path, path: &str) -> PathBuf {
    let name = format!("{:032x}", name(&testing::key(path).primary.0, b""));
    folder.join("cache").join(&name[..2]).join(&name)
}

#[test]
fn a_restart_finds_what_was_stored() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    let large: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    store(&cache, "/small", &[b"t", b"u"], b"small");
    store(&cache, "/empty", &[], b"");
    store(&cache, "/large", &[], &large);
    let cache = restart(cache, folder.path());

    let small = find(&cache, "/small").unwrap();
    assert_eq!(testing::body(&small), b"small");
    assert_eq!(small.status(), 200);
    assert_eq!(small.terms(), testing::terms());
    assert_eq!(small.tags().collect::<Vec<_>>(), [b"t", b"u"]);
    assert_eq!(small.rule().unwrap().as_ref(), "assets");
    assert_eq!(small.head(), b"Content-Type: text/plain\r\nETag: \"1\"\r\n");
    assert!(matches!(small.body(), Body::Bytes(_)));
    assert_eq!(testing::body(&find(&cache, "/empty").unwrap()), b"");
    let found = find(&cache, "/large").unwrap();
    assert!(matches!(found.body(), Body::File { .. }));
    assert_eq!(testing::body(&found), large);
    assert!(find(&cache, "/never").is_none());
    // Both are in memory now.
    for path in ["/small", "/large"] {
        let found = cache.find(&mut testing::key(path), &mut testing::value(""), 0);
        assert!(matches!(found, Found::Entry(_)), "{path}");
    }
    let figures = figures(&cache);
    assert_eq!((figures.loads, figures.objects, figures.opened), (3, 3, 1));
}

/// A body that is too large for memory is also compressed only once.
#[test]
fn a_compressed_form_of_an_open_file_is_kept() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    let large: Vec<u8> = (0..900_000u32).map(|n| n as u8).collect();
    for path in ["/a", "/b", "/c"] {
        store(&cache, path, &[], &large);
    }
    let cache = restart(cache, folder.path());
    for path in ["/a", "/b", "/c"] {
        let entry = find(&cache, path).unwrap();
        assert!(matches!(entry.body(), Body::File { .. }));
        let coded = bytes::Bytes::from(vec![1; 300_000]);
        cache.encoded(&entry, Coding::Gzip, coded);
    }
    for path in ["/a", "/b", "/c"] {
        let found = find(&cache, path).unwrap();
        let kept = found.encoded(Coding::Gzip).map(|coded| coded.len());
        assert_eq!(kept, Some(300_000), "{path}");
    }
}

#[test]
fn a_look_up_does_not_wait_for_the_scan() {
    let folder = TempDir::new().unwrap();
    drop({
        let cache = open(folder.path());
        store(&cache, "/a", &[], b"a");
        cache
    });
    let disk = Disk::open(&folder.path().join("cache"), MIB).unwrap();
    let key = testing::key("/a").primary.0;
    let name = disk.probe(&key, b"").unwrap();
    assert!(matches!(
        disk.load(name, &key, b""),
        Some(Content::Entry(_))
    ));
    let other = testing::key("/other").primary.0;
    let name = disk.probe(&other, b"").unwrap();
    assert!(disk.load(name, &other, b"").is_none());
}

#[test]
fn variants_survive_a_restart() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    for language in ["de", "fr"] {
        testing::lead(&cache, &mut testing::key("/"), language)
            .store_whole(
                testing::new(&testing::fields(), &[]),
                &Variance::new([&b"Accept-Language"[..]], false),
                &mut testing::value(language),
                language.as_bytes(),
            )
            .unwrap();
    }
    let cache = restart(cache, folder.path());
    for language in ["fr", "de"] {
        let found = testing::find_key(&cache, &mut testing::key("/"), language).unwrap();
        assert_eq!(testing::body(&found), language.as_bytes());
    }
    assert!(testing::find_key(&cache, &mut testing::key("/"), "it").is_none());
}

#[test]
fn what_memory_lets_go_of_is_on_the_disk() {
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(&Options {
        memory_bytes: MIB,
        ..options(folder.path())
    })
    .unwrap();
    let path = |number: usize| format!("/{number}");
    for number in 0..600 {
        store(&cache, &path(number), &[], &[number as u8; 4000]);
        if number % 100 == 0 {
            eventually("written", || figures(&cache).writes > number as u64);
        }
    }
    eventually("written", || figures(&cache).writes == 600);
    assert!(cache.status().evictions > 300);
    for number in 0..600 {
        let found = find(&cache, &path(number)).unwrap();
        assert_eq!(testing::body(&found), [number as u8; 4000]);
    }
}

/// Flips each byte of a file, and cuts the file at each length: the result is a miss, never
/// another response.
#[test]
fn no_damage_is_ever_served() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[b"t"], b"the body");
    drop(cache);
    let path = path_of(folder.path(), "/a");
    let whole = std::fs::read(&path).unwrap();
    let disk = Disk::open(&folder.path().join("cache"), MIB).unwrap();
    let key = testing::key("/a").primary.0;
    let name = name(&key, b"");
    let load = || disk.load(name, &key, b"");
    assert!(matches!(load(), Some(Content::Entry(_))));
    for place in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut damaged = whole.clone();
            damaged[place] ^= bit;
            std::fs::write(&path, &damaged).unwrap();
            match load() {
                None => {}
                // The checksum does not cover the mark of a soft purge: the entry is stale.
                Some(Content::Entry(entry)) if (8..16).contains(&place) => {
                    assert!(entry.is_purged_softly());
                }
                other => panic!("byte {place}: {other:?}"),
            }
        }
    }
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(load().is_none(), "{length} bytes");
    }
    std::fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert!(load().is_none());
}

#[test]
fn damage_of_a_large_body_is_found_before_it_is_served() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[], &vec![7; 500_000]);
    drop(cache);
    let path = path_of(folder.path(), "/a");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.len() - 100_000;
    bytes[place] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let cache = open(folder.path());
    assert!(find(&cache, "/a").is_none());
    assert_eq!(figures(&cache).corrupt, 1);
    eventually("removed", || !path.exists() && figures(&cache).objects == 0);
    store(&cache, "/a", &[], b"again");
    assert!(find(&cache, "/a").is_some());
}

#[test]
fn a_file_under_another_name_is_not_served() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/secret", &[], b"secret");
    drop(cache);
    let other = path_of(folder.path(), "/other");
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    std::fs::copy(path_of(folder.path(), "/secret"), &other).unwrap();
    let cache = open(folder.path());
    assert!(find(&cache, "/other").is_none());
    assert!(find(&cache, "/secret").is_some());
}

#[test]
fn foreign_files_are_left_alone_and_never_read() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[], b"a");
    drop(cache);
    let inside = path_of(folder.path(), "/a")
        .parent()
        .unwrap()
        .join("notes.txt");
    std::fs::write(&inside, "mine").unwrap();
    std::fs::write(folder.path().join("cache/README"), "mine").unwrap();
    std::fs::write(folder.path().join("cache/tmp-7"), "half").unwrap();
    // A symbolic link in the place of a file is not followed.
    let target = folder.path().join("target");
    std::fs::copy(path_of(folder.path(), "/a"), &target).unwrap();
    std::fs::remove_file(path_of(folder.path(), "/a")).unwrap();
    symlink(&target, path_of(folder.path(), "/a")).unwrap();
    let cache = open(folder.path());
    assert!(find(&cache, "/a").is_none());
    cache.purge(&Scope::All, Purge::Hard).unwrap();
    eventually("swept", || cache.status().purge_lines == 0);
    assert!(inside.exists() && target.exists());
    assert!(folder.path().join("cache/README").exists());
    assert!(!folder.path().join("cache/tmp-7").exists());
}

#[test]
fn the_folder_is_ours_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cache");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let cache = open(folder.path());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(matches!(
        Cache::<()>::open(&options(folder.path())),
        Err(OpenError::InUse(_))
    ));
    drop(cache);
    std::fs::remove_dir_all(&path).unwrap();
    symlink(folder.path(), &path).unwrap();
    assert!(matches!(
        Cache::<()>::open(&options(folder.path())),
        Err(OpenError::Unsafe(_))
    ));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "a file").unwrap();
    assert!(Cache::<()>::open(&options(folder.path())).is_err());
}

#[test]
fn a_purge_outlives_a_restart_before_its_sweep() {
    for scope in [
        Scope::Tag(b"t"),
        Scope::Host(b"shop.example"),
        Scope::Prefix {
            host: b"shop.example",
            path: b"/",
        },
        Scope::Url {
            scheme: b"https",
            host: b"shop.example",
            path: b"/a",
            query: None,
        },
        Scope::All,
    ] {
        let folder = TempDir::new().unwrap();
        let cache = open(folder.path());
        store(&cache, "/a", &[b"t"], b"a");
        drop(cache);
        // The purge is in the journal, and the process ends before a sweep.
        let disk = Disk::open(&folder.path().join("cache"), MIB).unwrap();
        let number = disk.purges.record(&scope, Purge::Hard);
        disk.journal(&scope, Purge::Hard, number).unwrap();
        drop(disk);
        let cache = open(folder.path());
        assert!(find(&cache, "/a").is_none(), "{scope:?}");
        // The next process sweeps the purged file without another purge.
        eventually("swept", || cache.status().purge_lines == 0);
        assert_eq!(files(folder.path()).len(), 0, "{scope:?}");
        // A response stored after the restart is newer than the purge before it.
        store(&cache, "/a", &[b"t"], b"new");
        let cache = restart(cache, folder.path());
        assert_eq!(testing::body(&find(&cache, "/a").unwrap()), b"new");
    }
}

#[test]
fn a_sweep_frees_the_disk_and_clears_the_journal() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    for number in 0..300 {
        let tag: &[u8] = if number % 3 == 0 { b"go" } else { b"stay" };
        store(&cache, &format!("/{number}"), &[tag], &[1; 100]);
    }
    eventually("written", || figures(&cache).writes == 300);
    cache.purge(&Scope::Tag(b"go"), Purge::Hard).unwrap();
    eventually("swept", || cache.status().purge_lines == 0);
    assert_eq!(figures(&cache).objects, 200);
    assert_eq!(files(folder.path()).len(), 200);
    let cache = restart(cache, folder.path());
    assert_eq!(cache.status().purge_lines, 0);
    for number in 0..300 {
        let found = find(&cache, &format!("/{number}"));
        assert_eq!(found.is_some(), number % 3 != 0, "{number}");
    }
}

#[test]
fn a_soft_purge_marks_the_files() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[b"t"], b"a");
    eventually("written", || figures(&cache).writes == 1);
    let at = Purge::Soft { now_ms: 1_010_000 };
    cache.purge(&Scope::Tag(b"t"), at).unwrap();
    eventually("swept", || cache.status().purge_lines == 0);
    let cache = restart(cache, folder.path());
    let found = find(&cache, "/a").unwrap();
    assert!(found.is_purged_softly());
    assert_eq!(found.terms(), testing::terms().expired(1_010_000));
}

#[test]
fn an_invalidation_reaches_the_disk() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[], b"a");
    eventually("written", || figures(&cache).writes == 1);
    cache.invalidate(b"https", b"shop.example", b"/a", None);
    assert!(find(&cache, "/a").is_none());
    let cache = restart(cache, folder.path());
    assert!(find(&cache, "/a").is_none());
}

#[test]
fn files_of_a_lost_identity_are_not_served() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[], b"a");
    drop(cache);
    // It is unknown which purges these files have missed.
    std::fs::write(folder.path().join("cache/identity"), "torn").unwrap();
    let cache = open(folder.path());
    assert!(find(&cache, "/a").is_none());
    eventually("removed", || files(folder.path()).is_empty());
}

#[test]
fn the_budget_of_the_disk_is_kept() {
    let folder = TempDir::new().unwrap();
    let small = |bytes| Options {
        disk: Some(DiskOptions {
            path: folder.path().join("cache"),
            bytes,
        }),
        ..options(folder.path())
    };
    let cache: Tests = Cache::open(&small(MIB)).unwrap();
    for number in 0..500 {
        store(&cache, &format!("/{number}"), &[], &[1; 10_000]);
    }
    eventually("written", || {
        let figures = figures(&cache);
        figures.writes == 500 && figures.bytes <= MIB
    });
    assert!(figures(&cache).objects > 80);
    cache.reconfigure(&small(MIB / 4));
    eventually("less", || figures(&cache).bytes <= MIB / 4);
    let on_disk: u64 = files(folder.path())
        .iter()
        .map(|path| on_disk(path.metadata().unwrap().len()))
        .sum();
    assert_eq!(on_disk, figures(&cache).bytes);
    let elsewhere = Options {
        disk: None,
        ..options(folder.path())
    };
    let changed = cache.reconfigure(&elsewhere);
    assert_eq!(changed, crate::Reconfigured::DiskAtRestart);
}

/// A file on a disk that is full after some bytes.
struct Full {
    file: File,
    left: Arc<AtomicUsize>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::SeqCst);
        let count = bytes.len().min(left);
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.left.fetch_sub(count, Ordering::SeqCst);
        self.file.write(&bytes[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_a_miss_and_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let mut disk = Disk::open(&folder.path().join("cache"), MIB).unwrap();
    let left = Arc::new(AtomicUsize::new(1000));
    let rest = Arc::clone(&left);
    disk.set_create(Box::new(move |path| {
        let left = Arc::clone(&rest);
        let file = File::create(path)?;
        Ok(Box::new(Full { file, left }))
    }));
    let key = testing::key("/a").primary.0;
    let fields = testing::fields();
    let entry = |body: &[u8]| {
        let body = Body::Bytes(bytes::Bytes::copy_from_slice(body));
        let level = disk.purges.newest();
        Arc::new(Entry::new(
            &key,
            &[],
            testing::new(&fields, &[]),
            body,
            level,
        ))
    };
    let mut upkeep = Upkeep::default();
    disk.write(&entry(b"first"));
    while upkeep.step(&disk, |_| ()) {}
    let name = name(&key, b"");
    assert!(disk.load(name, &key, b"").is_some());
    disk.write(&entry(&[2; 5000]));
    while upkeep.step(&disk, |_| ()) {}
    assert_eq!(left.load(Ordering::SeqCst), 0);
    // The first file is older than the one that could not be written: removed as well.
    assert!(disk.load(name, &key, b"").is_none());
    assert_eq!(disk.figures().failed, 1);
    assert!(files(folder.path()).is_empty());
    let left_over = std::fs::read_dir(folder.path().join("cache")).unwrap();
    let names: HashSet<_> = left_over.flatten().map(|item| item.file_name()).collect();
    assert!(
        !names
            .iter()
            .any(|name| name.to_string_lossy().starts_with("tmp-"))
    );
}

#[test]
fn a_folder_that_vanishes_is_a_miss() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[], &vec![1; 100_000]);
    eventually("written", || figures(&cache).writes == 1);
    std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
    store(&cache, "/b", &[], b"b");
    eventually("failed", || figures(&cache).failed == 1);
    assert!(find(&cache, "/b").is_some(), "memory has it");
    let disk = cache.status().disk.unwrap();
    assert_eq!(disk.corrupt, 0);
}

#[test]
fn what_waits_to_be_written_is_bounded() {
    let folder = TempDir::new().unwrap();
    let disk = Disk::open(&folder.path().join("cache"), 1 << 30).unwrap();
    let fields = testing::fields();
    // Nothing is written, since there is no background thread.
    for number in 0..100 {
        let key: Key = testing::key(&format!("/{number}"));
        let body = Body::Bytes(bytes::Bytes::from(vec![0; 1 << 20]));
        let entry = Entry::new(
            &key.primary.0,
            &[],
            testing::new(&fields, &[]),
            body,
            1 << 40,
        );
        disk.write(&Arc::new(entry));
    }
    assert_eq!(disk.figures().dropped, 36);
    assert_eq!(lock(&disk.waiting).bytes, 64 << 20);
}

/// What policies have edited is kept beside what they edited, also over a restart.
#[test]
fn the_head_as_received_is_kept_beside_an_edited_one() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    let edited = testing::fields();
    let mut received = testing::fields();
    received.set(b"ETag", b"\"theirs\"");
    for (path, status, fields) in [("/edited", 404, &received), ("/same", 200, &edited)] {
        let new = crate::NewEntry {
            received: Some(crate::Received { status, fields }),
            ..testing::new(&edited, &[])
        };
        testing::lead(&cache, &mut testing::key(path), "")
            .store_whole(new, &Variance::default(), &mut testing::value(""), b"a")
            .unwrap();
    }
    let cache = restart(cache, folder.path());
    for (path, status, fields) in [("/edited", 404, &received), ("/same", 200, &edited)] {
        let entry = find(&cache, path).unwrap();
        let heads = [&edited, fields].map(|fields| {
            let mut bytes = Vec::new();
            fields.write_to(&mut bytes);
            bytes
        });
        let mut again = Fields::default();
        assert_eq!(entry.write_received_into(&mut again), status, "{path}");
        let mut bytes = Vec::new();
        again.write_to(&mut bytes);
        assert_eq!((entry.status(), entry.head()), (200, &*heads[0]), "{path}");
        assert_eq!(bytes, heads[1], "{path}");
        assert_eq!(entry.received_bytes().is_empty(), path == "/same");
    }
}

#[test]
fn a_newer_response_takes_the_place_of_an_open_file() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[], &vec![1; 100_000]);
    let cache = restart(cache, folder.path());
    let old = find(&cache, "/a").unwrap();
    assert!(matches!(old.body(), Body::File { .. }));
    store(&cache, "/a", &[], &vec![2; 100_000]);
    assert_eq!(testing::body(&find(&cache, "/a").unwrap())[0], 2);
    let cache = restart(cache, folder.path());
    assert_eq!(testing::body(&find(&cache, "/a").unwrap())[0], 2);
    assert_eq!(testing::body(&old)[0], 1, "who sends it keeps it");

    // A 304 for an entry on the disk: the same body with a new head.
    let stale = find(&cache, "/a").unwrap();
    let mut new = testing::new(&Fields::default(), &[]).terms;
    new.lifetime = 77;
    let fields = testing::fields();
    testing::lead(&cache, &mut testing::key("/a"), "").revalidated(
        &stale,
        crate::NewEntry {
            terms: new,
            ..testing::new(&fields, &[])
        },
        &Variance::default(),
        &mut testing::value(""),
    );
    let cache = restart(cache, folder.path());
    let found = find(&cache, "/a").unwrap();
    assert_eq!(
        found.terms(),
        Terms {
            lifetime: 77,
            ..testing::terms()
        }
    );
    assert_eq!(testing::body(&found), vec![2; 100_000]);
}

#[test]
fn what_lies_on_the_disk_only_is_inspected() {
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path());
    store(&cache, "/a", &[b"t"], b"a");
    store(&cache, "/b", &[], b"b");
    let cache = restart(cache, folder.path());
    let found = cache.inspect(&crate::AddressFilter {
        scheme: Some(b"https"),
        host: b"shop.example",
        path: b"/a",
        query: None,
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, crate::Place::Disk);
    assert_eq!(found[0].entry.length(), Some(1));
}

/// While a newer response is queued for writing, the sweep does not see the older file. That
/// file must not be found after a restart.
#[test]
fn what_a_purge_took_does_not_come_back_from_under_a_write() {
    let folder = TempDir::new().unwrap();
    let disk = Disk::open(&folder.path().join("cache"), MIB).unwrap();
    let key = testing::key("/a").primary.0;
    let fields = testing::fields();
    let level = disk.purges.newest();
    let entry = |body: &'static [u8]| {
        let body = Body::Bytes(bytes::Bytes::from_static(body));
        Arc::new(Entry::new(
            &key,
            &[],
            testing::new(&fields, &[]),
            body,
            level,
        ))
    };
    let mut upkeep = Upkeep::default();
    disk.write(&entry(b"first"));
    while upkeep.step(&disk, |_| ()) {}
    assert_eq!(files(folder.path()).len(), 1);
    disk.write(&entry(b"second"));
    let number = disk.purges.record(&Scope::All, Purge::Hard);
    disk.journal(&Scope::All, Purge::Hard, number).unwrap();
    assert_eq!(upkeep.sweep(&disk, usize::MAX), None);
    upkeep.drain(&disk, |_| ());
    assert!(upkeep.swept(&disk, number));
    assert!(files(folder.path()).is_empty());
    drop(disk);
    let cache = open(folder.path());
    assert!(find(&cache, "/a").is_none());
}
