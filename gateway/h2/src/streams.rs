//! The streams of a connection, found by key or by identifier.

use slab::Slab;

use crate::stream::Stream;

/// The place of a stream. A key of a stream that was released is of no use, and does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey {
    index: u32,
    id: u32,
}

impl StreamKey {
    /// The identifier of the stream in the protocol.
    #[must_use]
    pub fn id(self) -> u32 {
        self.id
    }
}

/// How many places are kept while there is no stream.
const KEPT: usize = 4;

/// The streams that the gateway has not released.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    slots: Slab<Stream>,
    /// The keys in the order of their identifiers: these only grow.
    keys: Vec<StreamKey>,
    /// How many of them the client counts as open.
    pub(crate) active: usize,
}

impl Streams {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a stream whose identifier is larger than all others.
    pub(crate) fn insert(&mut self, stream: Stream) -> StreamKey {
        let id = stream.id;
        let index = u32::try_from(self.slots.insert(stream)).unwrap_or(u32::MAX);
        let key = StreamKey { index, id };
        self.keys.push(key);
        self.active += 1;
        key
    }

    pub(crate) fn remove(&mut self, key: StreamKey) {
        if self.get(key).is_none() {
            return;
        }
        if let Some(stream) = self.slots.try_remove(key.index as usize)
            && stream.is_counted
        {
            self.active -= 1;
        }
        if let Ok(at) = self.keys.binary_search_by_key(&key.id, |key| key.id) {
            self.keys.remove(at);
        }
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            self.slots = Slab::new();
            self.keys = Vec::new();
        }
    }

    pub(crate) fn get(&self, key: StreamKey) -> Option<&Stream> {
        let stream = self.slots.get(key.index as usize)?;
        (stream.id == key.id).then_some(stream)
    }

    pub(crate) fn get_mut(&mut self, key: StreamKey) -> Option<&mut Stream> {
        let stream = self.slots.get_mut(key.index as usize)?;
        (stream.id == key.id).then_some(stream)
    }

    /// The key of the stream with this identifier.
    pub(crate) fn find(&self, id: u32) -> Option<StreamKey> {
        let at = self.keys.binary_search_by_key(&id, |key| key.id).ok()?;
        self.keys.get(at).copied()
    }

    /// The key of the stream at this place in the order of identifiers.
    pub(crate) fn at(&self, place: usize) -> Option<StreamKey> {
        self.keys.get(place).copied()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.slots.iter_mut().map(|(_, stream)| stream)
    }

    /// The memory of the streams and of what was received on them, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let received = self.slots.iter().map(|(_, stream)| stream.memory());
        received.sum::<usize>()
            + self.slots.capacity() * size_of::<Stream>()
            + self.keys.capacity() * size_of::<StreamKey>()
    }

    /// Stops counting a stream that is closed.
    pub(crate) fn settle(&mut self, key: StreamKey) {
        let Some(stream) = self.get_mut(key) else {
            return;
        };
        if stream.is_counted && stream.is_closed() {
            stream.is_counted = false;
            self.active -= 1;
        }
    }
}
