//! Lives by what ends them.

use super::life::{Fate, Life, Victim};

/// The rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Own,
    Asked,
    Command,
    Supervisor,
    Jailer,
    Vm,
    Any,
    Two,
}

impl Kind {
    /// In the order of the table.
    pub const ALL: [Kind; 8] = [
        Kind::Own,
        Kind::Asked,
        Kind::Command,
        Kind::Supervisor,
        Kind::Jailer,
        Kind::Vm,
        Kind::Any,
        Kind::Two,
    ];

    /// That of a life.
    pub fn of(life: &Life) -> Kind {
        match life.fate {
            Fate::None => Kind::Own,
            Fate::Ask(..) => Kind::Asked,
            Fate::Kill(_, Some(_), _) => Kind::Two,
            Fate::Kill(victim, None, _) => match victim {
                Victim::Command => Kind::Command,
                Victim::Supervisor => Kind::Supervisor,
                Victim::Jailer => Kind::Jailer,
                Victim::Vm => Kind::Vm,
                Victim::Any => Kind::Any,
            },
        }
    }

    /// What ended those.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Own => "nothing killed",
            Kind::Asked => "told to end",
            Kind::Command => "command killed",
            Kind::Supervisor => "supervisor killed",
            Kind::Jailer => "bulkhead-jailer killed",
            Kind::Vm => "VM killed",
            Kind::Any => "any process killed",
            Kind::Two => "two of them killed",
        }
    }
}
