//! A radix trie over bytes that finds every stored key which is a prefix of a
//! text.
//!
//! It stores prefixes, and suffixes with their bytes reversed. A search costs
//! at most one step per byte of the text, whatever the number of keys.

/// Maps keys to values. Build it with [`Trie::entry`], search it with
/// [`Trie::deepest`].
#[derive(Debug, Clone)]
pub(crate) struct Trie<V> {
    nodes: Vec<Node>,
    entries: Vec<Entry<V>>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// The bytes that lead from the parent to this node.
    label: Box<[u8]>,
    /// First byte of each child's label, sorted, and the child's index.
    children: Vec<(u8, u32)>,
    entry: Option<u32>,
}

/// A stored key's value.
#[derive(Debug, Clone)]
pub(crate) struct Entry<V> {
    /// Length of the key in bytes.
    pub(crate) len: usize,
    /// What is stored under it.
    pub(crate) value: V,
    /// The longest stored key that is a proper prefix of this one. Set by
    /// [`Trie::link`].
    shorter: Option<u32>,
}

impl<V: Default> Trie<V> {
    /// A trie without keys.
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            entries: Vec::new(),
        }
    }

    /// The value of `key`, inserted if it is new. Call [`Trie::link`] once all
    /// keys are inserted.
    pub(crate) fn entry(&mut self, key: &[u8]) -> Option<&mut V> {
        let node = self.node_for(key)?;
        let next = u32::try_from(self.entries.len()).ok()?;
        let slot = self.nodes.get_mut(node)?.entry.get_or_insert(next);
        if *slot == next {
            self.entries.push(Entry {
                len: key.len(),
                value: V::default(),
                shorter: None,
            });
        }
        self.entries
            .get_mut(*slot as usize)
            .map(|entry| &mut entry.value)
    }

    /// Links each key to the longest other key that is a prefix of it.
    pub(crate) fn link(&mut self) {
        let mut open = vec![(0_u32, None)];
        while let Some((index, above)) = open.pop() {
            let Some(node) = self.nodes.get(index as usize) else {
                continue;
            };
            if let Some(entry) = node.entry.and_then(|e| self.entries.get_mut(e as usize)) {
                entry.shorter = above;
            }
            let below = node.entry.or(above);
            open.extend(node.children.iter().map(|&(_, child)| (child, below)));
        }
    }

    /// The node for exactly `key`, created if it does not exist.
    fn node_for(&mut self, key: &[u8]) -> Option<usize> {
        let mut at = 0;
        let mut rest = key;
        while let Some(&first) = rest.first() {
            let node = self.nodes.get(at)?;
            match node.children.binary_search_by_key(&first, |c| c.0) {
                Err(place) => {
                    let child = self.push(Node {
                        label: rest.into(),
                        ..Node::default()
                    })?;
                    self.nodes
                        .get_mut(at)?
                        .children
                        .insert(place, (first, child));
                    return Some(child as usize);
                }
                Ok(place) => {
                    let child = node.children.get(place)?.1 as usize;
                    let label = &self.nodes.get(child)?.label;
                    let shared = label.iter().zip(rest).take_while(|(a, b)| a == b).count();
                    if shared < label.len() {
                        self.split(child, shared)?;
                    }
                    at = child;
                    rest = rest.get(shared..)?;
                }
            }
        }
        Some(at)
    }

    /// Cuts the label of node `index` after `keep` bytes; the rest of the
    /// label, the children and the entry move to a new child.
    fn split(&mut self, index: usize, keep: usize) -> Option<()> {
        let node = self.nodes.get_mut(index)?;
        let (head, tail) = node.label.split_at_checked(keep)?;
        let (head, tail): (Box<[u8]>, Box<[u8]>) = (head.into(), tail.into());
        let first = *tail.first()?;
        let lower = Node {
            label: tail,
            children: std::mem::take(&mut node.children),
            entry: node.entry.take(),
        };
        node.label = head;
        let child = self.push(lower)?;
        self.nodes.get_mut(index)?.children.push((first, child));
        Some(())
    }

    fn push(&mut self, node: Node) -> Option<u32> {
        let index = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(node);
        Some(index)
    }
}

impl<V> Trie<V> {
    /// The longest key that is a prefix of `text`; get the others with
    /// [`Trie::shorter`].
    pub(crate) fn deepest(&self, text: impl IntoIterator<Item = u8>) -> Option<&Entry<V>> {
        let mut text = text.into_iter();
        let mut node = self.nodes.first()?;
        let mut found = node.entry;
        'walk: while let Some(byte) = text.next() {
            let Some(child) = node.child(byte).and_then(|c| self.nodes.get(c)) else {
                break;
            };
            for &expected in child.label.iter().skip(1) {
                if text.next() != Some(expected) {
                    break 'walk;
                }
            }
            node = child;
            found = node.entry.or(found);
        }
        self.entries.get(found? as usize)
    }

    /// The longest key that is a proper prefix of the key of `entry`.
    pub(crate) fn shorter(&self, entry: &Entry<V>) -> Option<&Entry<V>> {
        self.entries.get(entry.shorter? as usize)
    }

    /// Whether the trie has no keys.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Node {
    fn child(&self, first: u8) -> Option<usize> {
        let place = self.children.binary_search_by_key(&first, |c| c.0).ok()?;
        self.children.get(place).map(|c| c.1 as usize)
    }
}

#[cfg(test)]
mod tests;
