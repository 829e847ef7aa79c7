//! The table that is printed.

use std::fmt;

use super::container::Times;
use super::inside::{Figures, Measured, Part, Plan};
use super::vmm::{Kind, Vmm};
use super::{median, size};
use crate::error::Error;

/// Figures in rows, VMMs in columns.
pub struct Table(Vec<Vec<String>>);

/// What a figure of ours must be.
enum Must {
    /// At most this much.
    AtMost(f64),
    /// At most this many times Firecracker's.
    TimesFirecracker(f64),
    /// Whatever it is.
    Reported,
}

impl Table {
    /// From what was measured by the plan.
    pub fn new(plan: &Plan, measured: &Measured) -> Result<Table, Error> {
        let mut head = vec!["figure".to_owned(), "must".to_owned()];
        head.extend(plan.vmms.iter().map(|vmm| vmm.kind.name().to_owned()));
        head.push(String::new());
        let mut table = Table(vec![head]);
        if plan.has(Part::Vmm) {
            table.add_vmms(plan, &measured.vmms)?;
        }
        if plan.has(Part::Run) {
            table.add_run(plan, &measured.container);
        }
        Ok(table)
    }

    fn add_vmms(&mut self, plan: &Plan, figures: &[Figures]) -> Result<(), Error> {
        let row = |values: &dyn Fn(&Figures) -> Option<f64>| figures.iter().map(values).collect();
        let mut push = |name: &str, unit: &str, must, values: Vec<Option<f64>>| {
            self.0.push(self::row(&plan.vmms, name, unit, must, &values));
        };
        push(
            "start to a one-page guest's first byte",
            "ms",
            Must::TimesFirecracker(0.5),
            row(&|figures| milliseconds(&figures.one_page)),
        );
        push(
            "start to a Linux guest's init",
            "ms",
            Must::TimesFirecracker(0.9),
            row(&|figures| milliseconds(&figures.linux)),
        );
        push(
            "resident outside guest RAM, guest idle",
            "MiB",
            Must::AtMost(3.0),
            row(&|figures| median(&figures.resident).map(|kib| kib as f64 / 1024.0)),
        );
        let sizes = plan.vmms.iter().map(|vmm| Ok(Some(size(&vmm.path)? as f64 / 1e6)));
        let sizes = sizes.collect::<Result<_, Error>>()?;
        push("size of the binary", "MB", Must::AtMost(2.0), sizes);
        push(
            "system calls until the guest runs",
            "",
            Must::Reported,
            row(&|figures| Some(figures.system_calls as f64)),
        );
        for (name, key) in STATISTICS {
            let value = |figures: &Figures| statistic(&figures.messages, key).map(|n| n as f64);
            push(name, "", Must::Reported, row(&value));
        }
        Ok(())
    }

    /// The same guest, run by `bulkhead` and booted by `bulkhead-vmm` alone.
    fn add_run(&mut self, plan: &Plan, times: &Times) {
        let mut push = |name: &str, unit: &str, must, value: Option<f64>| {
            let mut values = vec![None; plan.vmms.len()];
            values[0] = value;
            self.0.push(row(&plan.vmms, name, unit, must, &values));
        };
        let (whole, boot) = (milliseconds(&times.whole), milliseconds(&times.boot));
        push("bulkhead run --rm IMAGE true, to its end", "ms", Must::Reported, whole);
        push("bulkhead-vmm, to the same guest's first call", "ms", Must::Reported, boot);
        let ratio = whole.zip(boot).map(|(whole, boot)| whole / boot);
        push("the first of these as a multiple of the second", "×", Must::AtMost(1.1), ratio);
        let calls = Some(times.system_calls as f64);
        push("bulkhead run: system calls of its main thread", "", Must::Reported, calls);
    }
}

fn milliseconds(values: &[u64]) -> Option<f64> {
    median(values).map(|time| time as f64 / 1e6)
}

/// What `bulkhead-vmm --stats` counts, up to the moment when a Linux guest's init was seen.
const STATISTICS: [(&str, &str); 7] = [
    ("VM exits until init: port reads", "port_reads"),
    ("VM exits until init: port writes", "port_writes"),
    ("VM exits until init: register reads", "mmio_reads"),
    ("VM exits until init: register writes", "mmio_writes"),
    ("VM exits until init: others", "other_exits"),
    ("bytes copied into guest memory", "bytes_copied"),
    ("bytes mapped into guest memory", "bytes_mapped"),
];

/// Finds `key=NUMBER` among words.
fn statistic(messages: &str, key: &str) -> Option<u64> {
    let mut pairs = messages.split_ascii_whitespace().filter_map(|word| word.split_once('='));
    pairs.find(|(name, _)| *name == key).and_then(|(_, value)| value.parse().ok())
}

fn row(vmms: &[Vmm], name: &str, unit: &str, must: Must, values: &[Option<f64>]) -> Vec<String> {
    let ours = values[0];
    let ratio = |value: Option<f64>| Some(ours? / value?);
    let show = |value: f64| match unit {
        "" => format!("{value:.0}"),
        unit => format!("{value:.2} {unit}"),
    };
    let firecracker = vmms.iter().position(|vmm| vmm.kind == Kind::Firecracker);
    let (goal, verdict) = match must {
        Must::AtMost(most) => (format!("≤ {most:.2} {unit}"), ours.map(|value| value <= most)),
        Must::TimesFirecracker(most) => {
            let ratio = firecracker.and_then(|peer| ratio(values[peer]));
            (format!("≤ {most} × firecracker"), ratio.map(|ratio| ratio <= most))
        }
        Must::Reported => ("reported".to_owned(), None),
    };
    let verdict = match (&must, verdict) {
        (Must::Reported, _) => "",
        (_, Some(true)) => "met",
        (_, Some(false)) => "missed",
        (Must::TimesFirecracker(_), None) if firecracker.is_none() => "no peer given",
        (_, None) => "not measured",
    };
    let mut cells = vec![name.to_owned(), goal, ours.map_or("-".to_owned(), show)];
    for value in &values[1..] {
        cells.push(match (value, ratio(*value)) {
            (Some(value), Some(ratio)) => format!("{} (ratio {ratio:.2})", show(*value)),
            _ => "-".to_owned(),
        });
    }
    cells.push(verdict.to_owned());
    cells
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |cell: &String| cell.chars().count();
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| self.0.iter().map(|row| length(&row[column])).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.0 {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vmms(peers: &[Kind]) -> Vec<Vmm> {
        let kinds = std::iter::once(&Kind::Bulkhead).chain(peers);
        kinds.map(|&kind| Vmm { kind, path: "/v".into() }).collect()
    }

    #[test]
    fn a_goal_is_met_missed_or_not_to_be_told() {
        let verdict = |peers: &[Kind], must, values: &[Option<f64>]| {
            row(&vmms(peers), "figure", "ms", must, values).pop().unwrap()
        };
        let firecracker = [Kind::Firecracker];
        let half = || Must::TimesFirecracker(0.5);
        assert_eq!(verdict(&firecracker, half(), &[Some(5.0), Some(10.0)]), "met");
        assert_eq!(verdict(&firecracker, half(), &[Some(5.1), Some(10.0)]), "missed");
        assert_eq!(
            verdict(&[Kind::CloudHypervisor], half(), &[Some(1.0), Some(9.0)]),
            "no peer given"
        );
        assert_eq!(verdict(&[], half(), &[Some(5.0)]), "no peer given");
        assert_eq!(verdict(&[], Must::AtMost(3.0), &[Some(3.1)]), "missed");
        assert_eq!(verdict(&[], Must::AtMost(3.0), &[None]), "not measured");
        assert_eq!(verdict(&[], Must::Reported, &[Some(1.0)]), "");
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a", "≤ 1", "b"], ["long", "c", "d"]];
        let table = Table(rows.map(|row| row.map(str::to_owned).to_vec()).to_vec());
        assert_eq!(table.to_string(), "a     ≤ 1  b\nlong  c    d\n");
    }

    #[test]
    fn a_statistic_is_found_by_its_name() {
        let messages = "bulkhead-vmm: stats: port_reads=12 port_writes=3 x=y";
        assert_eq!(statistic(messages, "port_writes"), Some(3));
        assert_eq!(statistic(messages, "reads"), None);
        assert_eq!(statistic(messages, "x"), None);
    }
}
