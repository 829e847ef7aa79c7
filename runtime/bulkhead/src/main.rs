//! `bulkhead`: containers, each in its own VM.

use std::process::ExitCode;

use bulkhead::{execute, parse};

/// What is logged unless RUST_LOG says otherwise. One of TLS's parts logs errors that we print.
const LOG: &str = "warn,rustls_platform_verifier=off";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(LOG)).init();
    match parse(std::env::args_os()).and_then(execute) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("bulkhead: {}", error.line());
            ExitCode::from(error.exit_status())
        }
    }
}
