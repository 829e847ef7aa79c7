//! Which figures are drawn, and which of them side by side.

use super::idle::Idle;
use super::measured::{Figures, Measured};
use super::plan::Plan;
use super::rows::{mebibytes, megabytes, milliseconds};
use super::vmm::Kind;

/// Bars that may be compared, because they have one scale.
#[derive(Debug, PartialEq)]
pub struct Panel {
    /// What was measured.
    pub title: &'static str,
    /// In what.
    pub unit: &'static str,
    /// From top to bottom; at least one.
    pub bars: Vec<Bar>,
}

/// One figure.
#[derive(Debug, PartialEq)]
pub struct Bar {
    /// Whose it is.
    pub label: String,
    /// In the panel's unit.
    pub value: f64,
    /// Drawn in our colour.
    pub is_ours: bool,
}

/// All panels of what was measured.
pub fn panels(plan: &Plan, measured: &Measured) -> Vec<Panel> {
    let each = |suffix: &'static str, value: &dyn Fn(&Figures) -> Option<f64>| {
        let bars = plan.vmms.iter().zip(&measured.vmms).map(|(vmm, figures)| {
            bar(format!("{}{suffix}", vmm.kind.name()), value(figures), vmm.kind == Kind::Bulkhead)
        });
        bars.collect::<Vec<_>>()
    };
    let mut boots = each(", our kernel", &|figures| milliseconds(&figures.linux.own));
    boots.extend(each(", Debian's kernel", &|figures| milliseconds(&figures.linux.debian)));
    let whole = &measured.run.whole;
    let runs = vec![
        bar("runc run", milliseconds(&measured.run.runc), false),
        bar("bulkhead run, our kernel", milliseconds(&whole.own), true),
        bar("bulkhead run, Debian's kernel", milliseconds(&whole.debian), true),
    ];
    let idle: Vec<u64> =
        measured.idle.iter().map(|Idle { unshared_kib, .. }| *unshared_kib).collect();
    let panel = |title, unit, bars: Vec<Option<Bar>>| {
        let bars: Vec<Bar> = bars.into_iter().flatten().collect();
        (!bars.is_empty()).then_some(Panel { title, unit, bars })
    };
    let all = [
        panel("A whole container that does nothing", "ms", runs),
        panel("A VM of 256 MiB, to Linux's init", "ms", boots),
        panel(
            "A VM with a guest of one page, to its first byte",
            "ms",
            each("", &|figures| milliseconds(&figures.one_page)),
        ),
        panel(
            "A VMM's own memory, outside guest RAM",
            "MiB",
            each("", &|figures| mebibytes(&figures.resident)),
        ),
        panel(
            "A VM of 256 MiB, idle after init",
            "MiB resident",
            each("", &|figures| mebibytes(&figures.resident_with_guest)),
        ),
        panel(
            "An idle container of 128 MiB with all of its processes",
            "MB unshared",
            vec![bar("bulkhead", megabytes(&idle), true)],
        ),
    ];
    all.into_iter().flatten().collect()
}

fn bar(label: impl Into<String>, value: Option<f64>, is_ours: bool) -> Option<Bar> {
    value.map(|value| Bar { label: label.into(), value, is_ours })
}
