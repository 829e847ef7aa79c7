//! Notes: empty files of the cache, in `held/`.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Cache, Folder};

/// The most notes in `held/`, each an inode: one for each layer of some fifty images.
const MOST_HELD: usize = 1000;

impl Cache {
    /// Notes that something was looked at. The time of a note is that of its last use.
    pub fn note(&self, key: &str) -> io::Result<()> {
        File::create(self.path(Folder::Held, key))?.set_modified(SystemTime::now())
    }

    /// Whether that was noted; if so, the note is used now.
    pub fn is_noted(&self, key: &str) -> bool {
        let is_noted = self.path(Folder::Held, key).is_file();
        if is_noted {
            // With an older time it goes sooner, no more.
            let _ = self.note(key);
        }
        is_noted
    }

    /// Remove half of the notes, those that were used least lately, when there are too many: not at each start then.
    pub(super) fn sweep_notes(&self) {
        let folder = self.root.join(Folder::Held.name());
        let paths: Vec<_> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        if paths.len() <= MOST_HELD {
            return;
        }
        let dated = |path: PathBuf| Some((fs::metadata(&path).ok()?.modified().ok()?, path));
        let mut notes: Vec<_> = paths.into_iter().filter_map(dated).collect();
        notes.sort();
        for (_, note) in notes.iter().rev().skip(MOST_HELD / 2) {
            let _ = fs::remove_file(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_too_many_notes_those_that_were_not_used_for_longest_go() {
        let work = tempfile::tempdir().unwrap();
        let cache = Cache::open(work.path().join("cache")).unwrap();
        let folder = cache.root.join("held");
        let long_ago = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
        for number in 0..MOST_HELD {
            let note = File::create(folder.join(number.to_string())).unwrap();
            note.set_modified(long_ago + Duration::from_secs(number as u64)).unwrap();
        }
        let count = || fs::read_dir(&folder).unwrap().count();
        let open = || Cache::open(cache.root.clone()).unwrap();
        open();
        assert_eq!(count(), MOST_HELD, "there are not too many");

        assert!(cache.is_noted("0") && !cache.is_noted("new"));
        cache.note("new").unwrap();
        open();
        assert_eq!(count(), MOST_HELD / 2);
        // The two that were used just now, and the youngest of the others.
        let last = (MOST_HELD - 1).to_string();
        assert!(cache.is_noted("0") && cache.is_noted("new") && cache.is_noted(&last));
        assert!(!cache.is_noted("1"));
    }
}
