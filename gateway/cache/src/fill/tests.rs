use std::task::Waker;

use super::*;
use crate::entry::{Body, Growing};
use crate::growth::Aborted;
use crate::testing::{self, MIB, Tests};
use crate::{Found, Variance};

fn fill(cache: &Tests, path: &str, length: Option<u64>) -> Fill {
    testing::lead(cache, &mut testing::key(path), "")
        .store(
            testing::new(&testing::fields(), &[]),
            &Variance::default(),
            &mut testing::value(""),
            length,
        )
        .unwrap()
}

/// Reads what is available now; `Some` if the body has ended.
fn drain(reader: &mut FillReader) -> (Vec<u8>, Option<Result<(), Aborted>>) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    loop {
        match reader.poll_next(&mut cx) {
            Poll::Ready(Some(Ok(bytes))) => all.extend_from_slice(&bytes),
            Poll::Ready(Some(Err(aborted))) => return (all, Some(Err(aborted))),
            Poll::Ready(None) => return (all, Some(Ok(()))),
            Poll::Pending => return (all, None),
        }
    }
}

fn ready(fill: &mut Fill) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    fill.poll_ready(&mut cx).is_ready()
}

fn growing(cache: &Tests, path: &str) -> Option<Growing> {
    match testing::find(cache, path)?.body() {
        Body::Growing(growing) => Some(growing.clone()),
        _ => None,
    }
}

#[test]
fn readers_start_at_the_first_byte_at_any_time() {
    let cache = testing::memory(16 * MIB);
    let mut fill = fill(&cache, "/", None);
    let mut early = growing(&cache, "/").unwrap().reader().unwrap();
    assert_eq!(drain(&mut early), (vec![], None));
    fill.write(b"ab");
    fill.write(b"");
    fill.write(b"c");
    let mut late = growing(&cache, "/").unwrap().reader().unwrap();
    assert_eq!(drain(&mut early), (b"abc".to_vec(), None));
    fill.write(b"d");
    let entry = fill.finish().unwrap();
    assert_eq!(drain(&mut early), (b"d".to_vec(), Some(Ok(()))));
    assert_eq!(drain(&mut late), (b"abcd".to_vec(), Some(Ok(()))));
    assert_eq!(testing::body(&entry), b"abcd");
    assert_eq!(testing::body(&testing::find(&cache, "/").unwrap()), b"abcd");
    drop((early, late));
    let figures = cache.status();
    assert_eq!((figures.fills, figures.fill_bytes), (0, 0));
}

#[test]
fn an_aborted_fill_is_told_and_gone() {
    let cache = testing::memory(16 * MIB);
    let mut fill = fill(&cache, "/", None);
    fill.write(b"half");
    let entry = testing::find(&cache, "/").unwrap();
    let mut reader = fill.reader().unwrap();
    drop(fill);
    assert_eq!(drain(&mut reader), (vec![], Some(Err(Aborted))));
    assert!(testing::find(&cache, "/").is_none());
    drop((reader, entry));
    assert_eq!((cache.status().fills, cache.status().fill_bytes), (0, 0));
}

#[test]
fn a_body_of_another_length_than_announced_is_not_stored() {
    let cache = testing::memory(16 * MIB);
    for written in [&b"abc"[..], b"abcde"] {
        let mut fill = fill(&cache, "/", Some(4));
        fill.write(written);
        let mut reader = fill.reader().unwrap();
        assert!(fill.finish().is_none());
        assert_eq!(drain(&mut reader).1, Some(Err(Aborted)));
        assert!(testing::find(&cache, "/").is_none());
    }
}

#[test]
fn what_proves_too_large_still_reaches_its_readers() {
    let cache = testing::memory(64 * MIB);
    let mut fill = fill(&cache, "/", None);
    let mut reader = fill.reader().unwrap();
    let growing = growing(&cache, "/").unwrap();
    let chunk = vec![7; 256 * 1024];
    for _ in 0..4 {
        assert!(ready(&mut fill));
        fill.write(&chunk);
    }
    assert!(testing::find(&cache, "/").is_some());
    fill.write(&chunk);
    assert!(testing::find(&cache, "/").is_none(), "it left the index");
    assert!(fill.is_wanted());
    assert!(!ready(&mut fill), "the reader lags more than a megabyte");
    let (read, end) = drain(&mut reader);
    assert_eq!((read.len(), end), (5 * chunk.len(), None));
    assert!(ready(&mut fill));
    assert!(growing.reader().is_none(), "the beginning is gone");
    fill.write(b"end");
    assert_eq!(drain(&mut reader), (b"end".to_vec(), None));
    assert!(fill.finish().is_none());
    assert_eq!(drain(&mut reader), (vec![], Some(Ok(()))));
    assert!(testing::find(&cache, "/").is_none());
}

#[test]
fn the_writer_is_woken_when_the_slowest_reader_reads_or_leaves() {
    for leaves in [false, true] {
        let cache = testing::memory(64 * MIB);
        let mut fill = fill(&cache, "/", None);
        let mut slow = fill.reader().unwrap();
        let mut fast = fill.reader().unwrap();
        let chunk = vec![7; 512 * 1024];
        for _ in 0..4 {
            fill.write(&chunk);
        }
        assert_eq!(drain(&mut fast).0.len(), 4 * chunk.len());
        let (waker, woken) = counting();
        let mut cx = Context::from_waker(&waker);
        assert!(fill.poll_ready(&mut cx).is_pending());
        if leaves {
            drop(slow);
        } else {
            let _ = slow.poll_next(&mut cx);
            assert_eq!(woken.count(), 0);
            let _ = slow.poll_next(&mut cx);
        }
        assert_eq!(woken.count(), 1);
        assert!(fill.poll_ready(&mut cx).is_ready());
        drop(fast);
        if leaves {
            assert!(!fill.is_wanted(), "nobody reads it");
        }
    }
}

#[test]
fn fills_together_hold_a_bounded_number_of_bytes() {
    let cache = testing::memory(16 * MIB);
    // The limit is a quarter of the budget, or four of the largest objects.
    let fills: Vec<_> = (0..4)
        .map(|number| fill(&cache, &format!("/{number}"), Some(MIB)))
        .collect();
    let refused = testing::lead(&cache, &mut testing::key("/x"), "").store(
        testing::new(&testing::fields(), &[]),
        &Variance::default(),
        &mut testing::value(""),
        Some(MIB),
    );
    assert_eq!(refused.unwrap_err(), crate::Refused::Full);
    // A body of unknown length begins, and is no longer kept once the memory is used up.
    let mut unknown = fill(&cache, "/y", None);
    let mut reader = unknown.reader().unwrap();
    unknown.write(&[1; 1000]);
    assert!(testing::find(&cache, "/y").is_none());
    assert_eq!(drain(&mut reader).0.len(), 1000);
    drop((fills, unknown, reader));
    assert_eq!(cache.status().fill_bytes, 0);
    drop(fill(&cache, "/x", Some(MIB)));
}

#[test]
fn a_purge_while_it_grows_reaches_it() {
    let cache = testing::memory(16 * MIB);
    let mut fill = fill(&cache, "/", None);
    fill.write(b"old");
    cache.purge(&crate::Scope::All, crate::Purge::Hard).unwrap();
    assert!(matches!(
        cache.find(&mut testing::key("/"), &mut testing::value(""), 0),
        Found::Miss { .. }
    ));
    drop(fill.finish());
    assert!(testing::find(&cache, "/").is_none());
}

#[test]
fn readers_on_other_threads_get_every_byte() {
    let cache = testing::memory(16 * MIB);
    let mut fill = fill(&cache, "/", None);
    let mut readers: Vec<_> = (0..64).map(|_| fill.reader().unwrap()).collect();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mut own: Vec<_> = readers.split_off(readers.len() - 16);
            std::thread::spawn(move || {
                block_on(async {
                    for reader in &mut own {
                        let mut all = Vec::new();
                        while let Some(piece) = reader.next().await {
                            all.extend_from_slice(&piece.unwrap());
                        }
                        let wanted: Vec<u8> = (0..20_000u32).map(|n| n as u8).collect();
                        assert_eq!(all, wanted);
                    }
                });
            })
        })
        .collect();
    for number in 0..20_000u32 {
        fill.write(&[number as u8]);
    }
    fill.finish().unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future);
}

struct Count(std::sync::atomic::AtomicUsize);

impl Count {
    fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

fn counting() -> (Waker, Arc<Count>) {
    let count = Arc::new(Count(std::sync::atomic::AtomicUsize::new(0)));
    (Waker::from(Arc::clone(&count)), count)
}
