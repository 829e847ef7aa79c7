//! Which figures there are, and what each must be.

use super::idle::Idle;
use super::measured::Figures;
use super::network::{Cost, Costs};
use super::plan::{ByKernel, Plan};
use super::row::{Column, Row, Target};
use super::run::Times;
use super::vmm::Kind;
use super::{median, size};
use crate::error::Error;

/// Whose figure is compared where it is about VMMs.
const FIRECRACKER: Column = Column::Vmm(Kind::Firecracker);

/// Starts and memory of the VMMs. `columns` of a row are theirs and perhaps more.
pub fn of_vmms(plan: &Plan, figures: &[Figures], columns: usize) -> Result<Vec<Row>, Error> {
    let all =
        |value: &dyn Fn(&Figures) -> Option<f64>| figures.iter().map(value).collect::<Vec<_>>();
    let debian = all(&|figures| milliseconds(&figures.linux.debian));
    let own = all(&|figures| milliseconds(&figures.linux.own));
    // Product against product: each VMM with the kernel that its users have.
    let products = own.iter().take(1).chain(debian.iter().skip(1)).copied().collect();
    let sizes = plan.vmms.iter().map(|vmm| Ok(Some(size(&vmm.path)? as f64 / 1e6)));
    let same_kernel = Target::Times { peer: FIRECRACKER, must: 1.0, goal: 0.95 };
    let mut rows = vec![
        row("boot to init, Debian's kernel", "ms", same_kernel, debian),
        row("boot to init, our kernel", "ms", same_kernel, own),
        row(
            "boot to init, our kernel; peers with Debian's",
            "ms",
            Target::Times { peer: FIRECRACKER, must: 0.2, goal: 0.1 },
            products,
        ),
        // Beside the quicker way to start the peer: what is kept there is kept beside the other too.
        row(
            "start to a one-page guest's first byte",
            "ms",
            Target::Times { peer: FIRECRACKER, must: 0.3, goal: 0.15 },
            all(&|figures| milliseconds(&figures.one_page)),
        ),
        row(
            "resident outside guest RAM, guest idle",
            "MiB",
            Target::AtMost { must: 1.5, goal: None },
            all(&|figures| mebibytes(&figures.resident)),
        ),
        row(
            "resident with guest RAM, guest of 256 MiB idle after init",
            "MiB",
            Target::Reported,
            all(&|figures| mebibytes(&figures.resident_with_guest)),
        ),
        row(
            "size of the VMM's static binary",
            "MB",
            Target::AtMost { must: 1.2, goal: None },
            sizes.collect::<Result<_, Error>>()?,
        ),
        row(
            "system calls until the guest runs",
            "",
            Target::Reported,
            all(&|figures| Some(figures.system_calls as f64)),
        ),
    ];
    rows.extend(STATISTICS.iter().map(|(name, key)| {
        let value = |figures: &Figures| statistic(&figures.messages, key).map(|n| n as f64);
        row(name, "", Target::Reported, all(&value))
    }));
    rows.iter_mut().for_each(|row| row.values.resize(columns, None));
    Ok(rows)
}

/// `bulkhead run`, the bare boot of the same guest, and `runc run` of the same root.
pub fn of_runs(columns: &[Column], times: &Times) -> Vec<Row> {
    let runc = milliseconds(&times.runc);
    let values = |ours: Option<f64>, runc: Option<f64>| {
        let mut values = vec![None; columns.len()];
        values[0] = ours;
        if let Some(place) = columns.iter().position(|column| *column == Column::Runc) {
            values[place] = runc;
        }
        values
    };
    let medians = |times: &ByKernel<Vec<u64>>| ByKernel {
        debian: milliseconds(&times.debian),
        own: milliseconds(&times.own),
    };
    let (whole, boot) = (medians(&times.whole), medians(&times.boot));
    let multiple = whole.debian.zip(boot.debian).map(|(whole, boot)| whole / boot);
    let networked = milliseconds(&times.networked).zip(milliseconds(&times.alone));
    let networked = networked.map(|(networked, alone)| networked / alone);
    let beside_runc = Target::Times { peer: Column::Runc, must: 3.0, goal: 2.0 };
    let reported = Target::Reported;
    vec![
        row("run --rm IMAGE true, to its end", "ms", beside_runc, values(whole.own, runc)),
        row("bare boot of that guest, to its first call", "ms", reported, values(boot.own, None)),
        row("run with Debian's kernel", "ms", reported, values(whole.debian, runc)),
        row("bare boot of that guest", "ms", reported, values(boot.debian, None)),
        row(
            "run with Debian's kernel / bare boot",
            "×",
            Target::AtMost { must: 1.1, goal: None },
            values(multiple, None),
        ),
        row(
            "run with a network / without one",
            "×",
            Target::AtMost { must: 1.15, goal: None },
            values(networked, None),
        ),
        row(
            "system calls of run's main thread",
            "",
            reported,
            values(Some(times.system_calls as f64), None),
        ),
    ]
}

/// What a container of 128 MiB costs of the host's memory while it is idle.
pub fn of_idle(columns: usize, idle: &[Idle]) -> Vec<Row> {
    let values = |kib: &dyn Fn(&Idle) -> u64| {
        let mut values = vec![None; columns];
        values[0] = megabytes(&idle.iter().map(kib).collect::<Vec<_>>());
        values
    };
    vec![
        row(
            "unshared memory of an idle 128 MiB container",
            "MB",
            Target::AtMost { must: 35.0, goal: Some(25.0) },
            values(&|idle| idle.unshared_kib),
        ),
        row(
            "the same, and its part of what four share",
            "MB",
            Target::Reported,
            values(&|idle| idle.proportional_kib),
        ),
    ]
}

/// Of networks of guests; `columns` as in [`of_vmms`].
pub fn of_networks(columns: usize, costs: &Costs) -> Vec<Row> {
    let on_tap = Target::Times { peer: FIRECRACKER, must: 0.9, goal: 0.8 };
    let rows = |way: &str, target: Target, costs: &[Cost]| {
        let one = |what: &str, counts: fn(&Cost) -> &Vec<u64>| {
            let mut values: Vec<_> = costs.iter().map(|cost| millions(counts(cost))).collect();
            values.resize(columns, None);
            row(&format!("instructions for {what}, {way}"), "M", target, values)
        };
        [
            one("a MiB from the guest", |cost| &cost.sent),
            one("a MiB to the guest", |cost| &cost.received),
            one("a connection", |cost| &cost.connected),
        ]
    };
    let passt = std::slice::from_ref(&costs.passt);
    [rows("TAP", on_tap, &costs.taps), rows("passt", Target::Reported, passt)].concat()
}

fn row(name: &str, unit: &'static str, target: Target, values: Vec<Option<f64>>) -> Row {
    Row { name: name.to_owned(), unit, target, values }
}

/// The median of times in nanoseconds.
pub fn milliseconds(values: &[u64]) -> Option<f64> {
    median(values).map(|time| time as f64 / 1e6)
}

/// The median of counts, in millions.
fn millions(values: &[u64]) -> Option<f64> {
    median(values).map(|count| count as f64 / 1e6)
}

/// The median of sizes in KiB.
pub fn mebibytes(values: &[u64]) -> Option<f64> {
    median(values).map(|kib| kib as f64 / 1024.0)
}

/// Likewise, in MB.
pub fn megabytes(values: &[u64]) -> Option<f64> {
    median(values).map(|kib| kib as f64 * 1024.0 / 1e6)
}

/// What `bulkhead-vmm --stats` counts, up to the moment when the init of a guest with our kernel was seen.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_is_found_by_its_name() {
        let messages = "bulkhead-vmm: stats: port_reads=12 port_writes=3 x=y";
        assert_eq!(statistic(messages, "port_writes"), Some(3));
        assert_eq!(statistic(messages, "reads"), None);
        assert_eq!(statistic(messages, "x"), None);
    }

    #[test]
    fn a_run_is_put_beside_runc_only_where_it_was_measured() {
        let times = Times {
            whole: ByKernel { debian: vec![900_000_000], own: vec![200_000_000] },
            boot: ByKernel { debian: vec![800_000_000], own: vec![150_000_000] },
            runc: vec![100_000_000],
            networked: vec![220_000_000],
            alone: vec![200_000_000],
            system_calls: 7,
        };
        let columns = [Column::Vmm(Kind::Bulkhead), FIRECRACKER, Column::Runc];
        let rows = of_runs(&columns, &times);
        assert_eq!(rows[0].values, [Some(200.0), None, Some(100.0)]);
        assert_eq!(rows[1].values, [Some(150.0), None, None]);
        assert_eq!(rows[4].values[0], Some(1.125));
        assert_eq!(rows[5].values[0], Some(1.1));
        let alone = of_runs(&columns[..1], &Times { runc: Vec::new(), ..times });
        assert_eq!(alone[0].values, [Some(200.0)]);
    }
}
