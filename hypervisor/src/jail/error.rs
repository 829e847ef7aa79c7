//! Why there is no jail, and so no VM.

use std::io;

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("the jail: {step}: {error}")]
pub struct JailError {
    /// Which.
    pub step: &'static str,
    /// What the system said.
    pub error: io::Error,
}

impl JailError {
    /// For `map_err`: names the step.
    pub(super) fn at<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> JailError {
        move |error| JailError { step, error: error.into() }
    }
}
