//! A figure of ours beside the peers', and whether it is what it must be.

use super::vmm::Kind;

/// Who has a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Ours (`bulkhead` too), or a peer of `bulkhead-vmm`.
    Vmm(Kind),
    /// A peer of `bulkhead run`.
    Runc,
}

impl Column {
    /// The name to show.
    pub fn name(self) -> &'static str {
        match self {
            Column::Vmm(Kind::Bulkhead) => "bulkhead",
            Column::Vmm(kind) => kind.name(),
            Column::Runc => "runc",
        }
    }
}

/// What a figure of ours must be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At most so much, better at most this.
    AtMost { must: f64, goal: Option<f64> },
    /// At most so many times a peer's, better at most this many times.
    Times { peer: Column, must: f64, goal: f64 },
    /// Whatever it is.
    Reported,
}

/// A figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Behind each value; a count has none.
    pub unit: &'static str,
    /// What ours must be.
    pub target: Target,
    /// Of each column, ours first.
    pub values: Vec<Option<f64>>,
}

impl Row {
    /// The cells of its line in a table of `columns`: name, must, goal, the values, verdict.
    pub fn cells(&self, columns: &[Column]) -> Vec<String> {
        let (must, goal) = self.limits();
        let mut cells = vec![self.name.clone(), must, goal];
        let ours = self.values.first().copied().flatten();
        for (column, value) in columns.iter().zip(&self.values) {
            cells.push(match (value, ours) {
                (None, _) => String::new(),
                (Some(value), Some(ours)) if *column != columns[0] && *value > 0.0 => {
                    format!("{} ({:.2} ×)", self.show(*value), ours / value)
                }
                (Some(value), _) => self.show(*value),
            });
        }
        cells.push(self.verdict(columns).to_owned());
        cells
    }

    fn show(&self, value: f64) -> String {
        match self.unit {
            "" => format!("{value:.0}"),
            unit => format!("{value:.2} {unit}"),
        }
    }

    fn limits(&self) -> (String, String) {
        match self.target {
            Target::Reported => (String::new(), String::new()),
            Target::AtMost { must, goal } => {
                let show = |value: f64| format!("≤ {value} {}", self.unit);
                (show(must), goal.map(show).unwrap_or_default())
            }
            Target::Times { peer, must, goal } => {
                (format!("≤ {must:.2} × {}", peer.name()), format!("{goal:.2} ×"))
            }
        }
    }

    /// Whether ours is what it must be, and as good as it is meant to be.
    fn verdict(&self, columns: &[Column]) -> &'static str {
        let ours = self.values.first().copied().flatten();
        let (value, must, goal) = match self.target {
            Target::Reported => return "",
            Target::AtMost { must, goal } => (ours, must, goal),
            Target::Times { peer, must, goal } => {
                let Some(place) = columns.iter().position(|column| *column == peer) else {
                    return "no peer given";
                };
                let ratio = ours.zip(self.values[place]).map(|(ours, peer)| ours / peer);
                (ratio, must, Some(goal))
            }
        };
        match value {
            None => "not measured",
            Some(value) if value > must => "missed",
            Some(value) if goal.is_some_and(|goal| value <= goal) => "met, goal too",
            Some(_) => "met",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Column = Column::Vmm(Kind::Bulkhead);
    const FIRECRACKER: Column = Column::Vmm(Kind::Firecracker);

    fn row(target: Target, values: &[Option<f64>]) -> Row {
        Row { name: "figure".into(), unit: "ms", target, values: values.to_vec() }
    }

    #[test]
    fn a_target_is_met_missed_or_not_to_be_told() {
        let verdict = |columns: &[Column], target, values: &[Option<f64>]| {
            row(target, values).verdict(columns)
        };
        let both = [OURS, FIRECRACKER];
        let half = Target::Times { peer: FIRECRACKER, must: 0.5, goal: 0.25 };
        assert_eq!(verdict(&both, half, &[Some(2.5), Some(10.0)]), "met, goal too");
        assert_eq!(verdict(&both, half, &[Some(5.0), Some(10.0)]), "met");
        assert_eq!(verdict(&both, half, &[Some(5.1), Some(10.0)]), "missed");
        assert_eq!(verdict(&both, half, &[Some(5.1), None]), "not measured");
        assert_eq!(verdict(&[OURS, Column::Runc], half, &[Some(1.0), Some(9.0)]), "no peer given");
        assert_eq!(verdict(&[OURS], half, &[Some(5.0)]), "no peer given");
        let three = Target::AtMost { must: 3.0, goal: None };
        assert_eq!(verdict(&[OURS], three, &[Some(3.1)]), "missed");
        assert_eq!(verdict(&[OURS], three, &[Some(1.0)]), "met");
        assert_eq!(verdict(&[OURS], three, &[None]), "not measured");
        assert_eq!(verdict(&[OURS], Target::Reported, &[Some(1.0)]), "");
    }

    #[test]
    fn a_peer_is_shown_with_the_ratio_of_ours_to_it() {
        let target = Target::Times { peer: FIRECRACKER, must: 1.0, goal: 0.95 };
        let columns = [OURS, FIRECRACKER, Column::Runc];
        let cells = row(target, &[Some(5.0), Some(10.0), None]).cells(&columns);
        let expected = [
            "figure",
            "≤ 1.00 × firecracker",
            "0.95 ×",
            "5.00 ms",
            "10.00 ms (0.50 ×)",
            "",
            "met, goal too",
        ];
        assert_eq!(cells, expected);
    }
}
