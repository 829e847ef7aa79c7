//! What is under way, for whoever waits for it: a bar on a terminal, elsewhere a line on stderr at least every 30 s.

mod board;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar};

use board::Board;

/// How often the picture of a bar changes.
const TICK: Duration = Duration::from_millis(120);

/// Something that takes time. It is over when this is dropped.
pub struct Step {
    what: String,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    /// Its number on the board.
    Line(u64),
}

impl Step {
    /// It begins.
    pub fn start(what: &str) -> Step {
        Step::begin(what, None)
    }

    /// It begins, and downloads into the folder `folder`.
    pub fn download(what: &str, folder: PathBuf) -> Step {
        Step::begin(what, Some(folder))
    }

    fn begin(what: &str, folder: Option<PathBuf>) -> Step {
        let shown = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner().with_message(what.to_owned());
            let bar = BARS.add(bar);
            bar.enable_steady_tick(TICK);
            Shown::Bar(bar)
        } else {
            let mut teller = TELLER.lock();
            let number = teller.board.add(what);
            if let Some(folder) = folder {
                let before = size(&folder);
                teller.downloads.push(Download { number, folder, before });
            }
            if !teller.runs {
                teller.runs = true;
                thread::spawn(|| TELLER.tell());
            }
            TELLER.changed.notify_one();
            Shown::Line(number)
        };
        Step { what: what.to_owned(), shown }
    }

    /// It has come so far, as in "3 of 5 files".
    pub fn tell(&self, how_far: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(format!("{}: {how_far}", self.what)),
            Shown::Line(number) => TELLER.lock().board.set(*number, how_far),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        match &self.shown {
            Shown::Bar(bar) => {
                bar.finish_and_clear();
                BARS.remove(bar);
            }
            Shown::Line(number) => {
                let mut teller = TELLER.lock();
                teller.board.remove(*number);
                teller.downloads.retain(|download| download.number != *number);
            }
        }
    }
}

/// Says `line` on stderr, beside the bars.
pub fn say(line: &str) {
    BARS.suspend(|| eprintln!("{line}"));
    TELLER.lock().board.said(TELLER.began.elapsed());
}

/// The bars on the terminal.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Who writes lines where there is no terminal.
static TELLER: LazyLock<Teller> = LazyLock::new(|| Teller {
    began: Instant::now(),
    state: Mutex::default(),
    changed: Condvar::new(),
});

struct Teller {
    began: Instant,
    state: Mutex<State>,
    /// A step was added.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    board: Board,
    downloads: Vec<Download>,
    /// Its thread was started.
    runs: bool,
}

/// A step that fills a folder, which had so many bytes before.
struct Download {
    number: u64,
    folder: PathBuf,
    before: u64,
}

impl Teller {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines as long as this program runs.
    fn tell(&self) {
        let mut state = self.lock();
        loop {
            let wait = state.board.quiet_for(self.began.elapsed());
            if wait == Some(Duration::ZERO) {
                let State { board, downloads, .. } = &mut *state;
                for Download { number, folder, before } in downloads {
                    let megabytes = size(folder).saturating_sub(*before) / 1_000_000;
                    board.set(*number, &format!("{megabytes} MB"));
                }
                if let Some(line) = board.line(self.began.elapsed()) {
                    eprintln!("{line}");
                }
                continue;
            }
            // With nothing under way, until something is.
            let wait = wait.unwrap_or(Duration::MAX);
            let woken = self.changed.wait_timeout(state, wait);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// How many bytes the files have that are in `folder` and in its folders. What is gone meanwhile has none.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_download_has_brought_is_counted_in_its_part_folder_too() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("whole.deb"), [0; 100]).unwrap();
        std::fs::create_dir(folder.path().join("partial")).unwrap();
        std::fs::write(folder.path().join("partial/begun.deb"), [0; 23]).unwrap();
        assert_eq!(size(folder.path()), 123);
        assert_eq!(size(&folder.path().join("missing")), 0);
    }
}
