//! The vCPUs and their caches (Devicetree Specification 0.4 §3.8 and §3.9).
//!
//! There is no `cpu-map`: without one Linux takes all for cores of one package, which is what they
//! are here.

use super::{Machine, node, phandle};
use crate::aarch64::regs::mpidr;
use std::collections::BTreeMap;
use vm_fdt::{FdtWriter, FdtWriterResult};

/// One kind of cache that each vCPU has, alone or with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// From 1, the nearest.
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// Bytes.
    pub size: u32,
    /// Bytes of a line.
    pub line_size: u32,
    /// Number of sets.
    pub sets: u32,
    /// vCPUs that share one: as many vCPUs in a row have it in common. Caches of the first level are
    /// a vCPU's own, whatever this says.
    pub shared_by: u32,
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// Data only.
    Data,
    /// Instructions only.
    Instruction,
    /// Both.
    Unified,
}

/// The caches of one level: at most one of each kind counts.
struct Level {
    number: u32,
    caches: Vec<Cache>,
    shared_by: u32,
    /// The first of its nodes.
    phandle: u32,
}

impl Level {
    /// The node of a vCPU's caches.
    fn phandle_of(&self, cpu: u32) -> u32 {
        self.phandle + cpu / self.shared_by
    }
}

/// Writes the nodes.
pub fn write(fdt: &mut FdtWriter, machine: &Machine) -> FdtWriterResult<()> {
    let (first, shared): (Vec<Cache>, Vec<Cache>) =
        machine.caches.iter().partition(|cache| cache.level <= 1);
    let levels = levels(&shared, machine.cpus);
    node(fdt, "cpus", |fdt| {
        fdt.property_u32("#address-cells", 1)?;
        fdt.property_u32("#size-cells", 0)?;
        (0..machine.cpus).try_for_each(|cpu| vcpu(fdt, cpu, &first, levels.first()))?;
        for (n, level) in levels.iter().enumerate() {
            for cpu in (0..machine.cpus).step_by(level.shared_by as usize) {
                level_node(fdt, cpu, level, levels.get(n + 1))?;
            }
        }
        Ok(())
    })
}

/// The levels behind the first, by number.
fn levels(caches: &[Cache], cpus: u32) -> Vec<Level> {
    let mut numbers: BTreeMap<u32, Vec<Cache>> = BTreeMap::new();
    for cache in caches {
        numbers.entry(cache.level).or_default().push(*cache);
    }
    let mut phandle = phandle::CACHES;
    let level = |(number, caches): (u32, Vec<Cache>)| {
        let shared_by = caches[0].shared_by.clamp(1, cpus);
        let level = Level { number, caches, shared_by, phandle };
        phandle += cpus.div_ceil(shared_by);
        level
    };
    numbers.into_iter().map(level).collect()
}

fn vcpu(
    fdt: &mut FdtWriter,
    cpu: u32,
    caches: &[Cache],
    next: Option<&Level>,
) -> FdtWriterResult<()> {
    let mpidr = mpidr(cpu);
    node(fdt, &format!("cpu@{mpidr:x}"), |fdt| {
        fdt.property_string("device_type", "cpu")?;
        fdt.property_string("compatible", "arm,armv8")?;
        fdt.property_u32("reg", mpidr)?;
        fdt.property_string("enable-method", "psci")?;
        describe(fdt, cpu, caches, next)
    })
}

/// The caches of one level that `cpu` is the first to have.
fn level_node(
    fdt: &mut FdtWriter,
    cpu: u32,
    level: &Level,
    next: Option<&Level>,
) -> FdtWriterResult<()> {
    let name = format!("l{}-cache{}", level.number, cpu / level.shared_by);
    node(fdt, &name, |fdt| {
        fdt.property_phandle(level.phandle_of(cpu))?;
        fdt.property_string("compatible", "cache")?;
        fdt.property_u32("cache-level", level.number)?;
        describe(fdt, cpu, &level.caches, next)
    })
}

/// The geometry of a node's caches, and where the next ones are.
fn describe(
    fdt: &mut FdtWriter,
    cpu: u32,
    caches: &[Cache],
    next: Option<&Level>,
) -> FdtWriterResult<()> {
    for (kind, prefix) in
        [(CacheKind::Data, "d-"), (CacheKind::Instruction, "i-"), (CacheKind::Unified, "")]
    {
        let Some(cache) = caches.iter().find(|cache| cache.kind == kind) else { continue };
        if kind == CacheKind::Unified {
            fdt.property_null("cache-unified")?;
        }
        fdt.property_u32(&format!("{prefix}cache-size"), cache.size)?;
        fdt.property_u32(&format!("{prefix}cache-line-size"), cache.line_size)?;
        fdt.property_u32(&format!("{prefix}cache-sets"), cache.sets)?;
    }
    match next {
        Some(level) => fdt.property_u32("next-level-cache", level.phandle_of(cpu)),
        None => Ok(()),
    }
}
