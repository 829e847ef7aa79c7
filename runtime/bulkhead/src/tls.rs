//! How far a registry is trusted.

use clap::{ArgAction, Args};

/// Its flag, for all commands that pull.
#[derive(Clone, Debug, Args)]
pub struct Tls {
    /// Whether to check the registry's certificate; false also allows HTTP, and only for a registry on this machine
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    pub tls_verify: bool,
}
