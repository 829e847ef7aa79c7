//! A map that forgets: entries that nobody renewed in time, and the oldest when there are too many.

use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::time::Duration;

/// A map of at most so many entries. A new one takes the place of the one that was longest not inserted again.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    /// The keys by when they were inserted last, in the order of [`Table::inserted`].
    order: BTreeMap<u64, K>,
    /// How many insertions there were.
    inserted: u64,
    most: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    /// Until when it counts.
    until: Duration,
    order: u64,
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub fn new(most: usize) -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), inserted: 0, most }
    }

    /// Adds an entry, or puts it in the place of the one of that key, as the youngest of all.
    pub fn insert(&mut self, key: K, value: V, until: Duration) {
        self.remove(&key);
        if self.entries.len() >= self.most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.inserted += 1;
        self.order.insert(self.inserted, key.clone());
        self.entries.insert(key, Entry { value, until, order: self.inserted });
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.order);
        Some(entry.value)
    }

    /// The entry, if its time is not over. `until` is the last moment at which it counts.
    pub fn get(&mut self, key: &K, now: Duration) -> Option<&mut V> {
        self.entries.get_mut(key).filter(|entry| now <= entry.until).map(|entry| &mut entry.value)
    }

    /// Puts off the end of an entry, and makes it the youngest.
    pub fn renew(&mut self, key: &K, until: Duration) {
        if let Some(value) = self.remove(key) {
            self.insert(key.clone(), value, until);
        }
    }

    /// Until when an entry counts or counted.
    pub fn until(&self, key: &K) -> Option<Duration> {
        self.entries.get(key).map(|entry| entry.until)
    }

    /// The keys in a range whose time is not over.
    pub fn keys(&self, range: impl RangeBounds<K>, now: Duration) -> impl Iterator<Item = &K> {
        self.entries.range(range).filter(move |(_, entry)| now <= entry.until).map(|(key, _)| key)
    }

    /// All entries, the youngest first, whether or not their time is over.
    pub fn youngest_first(&self) -> impl Iterator<Item = (&K, &V)> {
        let value = |key: &K| self.entries.get(key).map(|entry| &entry.value);
        self.order.values().rev().filter_map(move |key| Some((key, value(key)?)))
    }

    /// Whether one more would be one too many. Makes room first, if there are entries whose time is over.
    pub fn is_full(&mut self, now: Duration) -> bool {
        if self.entries.len() >= self.most {
            self.entries.retain(|_, entry| now <= entry.until);
            let entries = &self.entries;
            self.order.retain(|_, key| entries.contains_key(key));
        }
        self.entries.len() >= self.most
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.order.len());
        self.entries.len()
    }
}
