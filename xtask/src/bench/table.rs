//! The figures as a table that a terminal shows as it is, and a README too (GitHub Flavored Markdown, "Tables").

use std::fmt;

use super::measured::Measured;
use super::plan::{Part, Plan};
use super::row::{Column, Row};
use super::{rows, vmm::Vmm};
use crate::error::Error;

/// Figures in rows, whose they are in columns.
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// From what was measured by the plan.
    pub fn new(plan: &Plan, measured: &Measured) -> Result<Table, Error> {
        let columns = columns(plan);
        let names = columns.iter().map(|column| column.name());
        let head = ["figure", "must", "goal"].into_iter().chain(names).chain(["verdict"]);
        let mut table = vec![head.map(str::to_owned).collect()];
        let mut add = |rows: Vec<Row>| table.extend(rows.iter().map(|row| row.cells(&columns)));
        if plan.has(Part::Vmm) {
            add(rows::of_vmms(plan, &measured.vmms, columns.len())?);
        }
        if plan.has(Part::Run) {
            add(rows::of_runs(&columns, &measured.run));
        }
        if plan.has(Part::Idle) {
            add(rows::of_idle(columns.len(), &measured.idle));
        }
        if plan.has(Part::Network) {
            add(rows::of_networks(columns.len(), &measured.network));
        }
        Ok(Table(table))
    }
}

/// The VMMs, and `runc` where there is one.
fn columns(plan: &Plan) -> Vec<Column> {
    let vmms = plan.vmms.iter().map(|Vmm { kind, .. }| Column::Vmm(*kind));
    vmms.chain(plan.runc.iter().map(|_| Column::Runc)).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |cell: &String| cell.chars().count();
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| self.0.iter().map(|row| length(&row[column])).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for (number, row) in self.0.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
            if number == 0 {
                let rules = widths.iter().map(|width| "-".repeat(width + 2));
                writeln!(f, "|{}|", rules.collect::<Vec<_>>().join("|"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a", "≤ 1", "b"], ["long", "c", ""]];
        let table = Table(rows.map(|row| row.map(str::to_owned).to_vec()).to_vec());
        let expected = "| a    | ≤ 1 | b |\n|------|-----|---|\n| long | c   |   |\n";
        assert_eq!(table.to_string(), expected);
    }
}
