//! Progress bars on stderr, one for each blob that is being fetched.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use host::digest::Digest;

const BAR: &str = "{prefix} [{bar:40}] {bytes}/{total_bytes} {msg}";

pub struct Progress(MultiProgress);

impl Progress {
    /// No bars yet. They are shown on a terminal, unless that is to be quiet.
    pub fn new(quiet: bool) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self(MultiProgress::with_draw_target(target))
    }

    /// A bar for a blob of so many bytes, which goes when it is dropped.
    pub fn bar(&self, digest: Digest, size: u64) -> Bar {
        let style = ProgressStyle::with_template(BAR).expect("the template is well-formed");
        let bar = ProgressBar::new(size).with_style(style.progress_chars("=> "));
        Bar(self.0.add(bar.with_prefix(digest.hex()[..12].to_owned())))
    }
}

/// A bar that is shown.
pub struct Bar(ProgressBar);

impl Bar {
    /// So many bytes are there.
    pub fn show(&self, length: u64) {
        self.0.set_position(length);
    }

    /// Say what is going on besides.
    pub fn set_note(&self, message: &'static str) {
        self.0.set_message(message);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
