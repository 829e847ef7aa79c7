//! Whatever the machine is, a kernel finds it described whole.

use super::reader::Node;
use super::*;
use crate::aarch64::layout::VIRTIO_SLOTS;
use crate::aarch64::regs::mpidr;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Drawn {
    cpus: u32,
    caches: Vec<Cache>,
    bytes: u64,
    gic: Gic,
    virtio: Vec<VirtioSlot>,
    cmdline: String,
    initrd: Option<Range<u64>>,
}

impl Drawn {
    fn tree(&self) -> Vec<u8> {
        blob(&Machine {
            cpus: self.cpus,
            caches: &self.caches,
            gic: self.gic,
            virtio: &self.virtio,
            cmdline: &self.cmdline,
            initrd: self.initrd.clone(),
            ..smallest(&ram_ranges(self.bytes))
        })
        .unwrap()
    }
}

fn caches() -> impl Strategy<Value = Vec<Cache>> {
    let kind = prop::sample::select(vec![
        CacheKind::Data,
        CacheKind::Instruction,
        CacheKind::Unified,
        CacheKind::Unified,
    ]);
    let cache = (0u32..6, kind, any::<(u32, u32)>(), prop_oneof![0u32..40, any::<u32>()]);
    let cache = cache.prop_map(|(level, kind, (size, sets), shared_by)| {
        self::cache(level, kind, size, sets, shared_by)
    });
    prop::collection::vec(cache, 0..8)
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let gic = prop::sample::select(vec![(Gic::V2, 8), (Gic::V3, 32)]);
    let gic_and_cpus = gic.prop_flat_map(|(gic, most)| (Just(gic), 1u32..=most));
    let slots = prop::collection::btree_set(0..VIRTIO_SLOTS, 0..=VIRTIO_SLOTS);
    let initrd = prop::option::of((any::<u32>(), any::<u32>()));
    // Text as the kernel takes it: no control characters but the tab.
    (gic_and_cpus, caches(), 1u64..1 << 50, slots, "[\t\\PC]{0,300}", initrd).prop_map(
        |((gic, cpus), caches, bytes, slots, cmdline, initrd)| Drawn {
            cpus,
            caches,
            bytes,
            gic,
            virtio: slots.into_iter().map(|n| virtio_slot(n).unwrap()).collect(),
            cmdline,
            initrd: initrd.map(|(start, len)| start.into()..u64::from(start) + u64::from(len)),
        },
    )
}

fn u64s(cells: &[u32]) -> Vec<u64> {
    let (pairs, _) = cells.as_chunks();
    pairs.iter().map(|[high, low]| u64::from(*high) << 32 | u64::from(*low)).collect()
}

/// The caches behind those of a CPU's own, followed from node to node.
fn follow<'a>(cpus: &'a Node, cpu: &'a Node) -> Vec<&'a Node> {
    let mut path = vec![cpu];
    while let Some(next) = path[path.len() - 1].properties.get("next-level-cache") {
        let cache = cpus.each("l").into_iter().find(|cache| cache.properties["phandle"] == *next);
        path.push(cache.expect("a cache with this phandle"));
        assert!(path.len() < 10);
    }
    path.split_off(1)
}

/// Each CPU has one cache of each level there is, shared by as many as it should be.
fn check_caches(drawn: &Drawn, cpus: &Node) {
    let mut levels: Vec<u32> = drawn.caches.iter().map(|cache| cache.level).collect();
    levels.retain(|&level| level > 1);
    levels.sort_unstable();
    levels.dedup();
    let paths: Vec<_> = cpus.each("cpu@").iter().map(|cpu| follow(cpus, cpu)).collect();
    for path in &paths {
        let found: Vec<u32> = path.iter().map(|cache| cache.cells("cache-level")[0]).collect();
        assert_eq!(found, levels);
    }
    if let Some(&level) = levels.first() {
        let cache = drawn.caches.iter().find(|cache| cache.level == level).unwrap();
        let together = |path: &&Vec<&Node>| path[0].name == paths[0][0].name;
        let sharing = paths.iter().filter(together).count() as u32;
        assert_eq!(sharing, cache.shared_by.clamp(1, drawn.cpus));
    }
}

fn check(drawn: &Drawn) {
    let root = Node::read(&drawn.tree());
    let cpus = root.child("cpus");
    let found: Vec<u32> = cpus.each("cpu@").iter().map(|cpu| cpu.cells("reg")[0]).collect();
    assert_eq!(found, (0..drawn.cpus).map(mpidr).collect::<Vec<_>>());
    check_caches(drawn, cpus);

    let memory = u64s(&root.child("memory@40000000").cells("reg"));
    assert_eq!(memory, [layout::RAM_START, drawn.bytes]);

    let gic = root.child("interrupt-controller@8000000");
    assert_eq!(gic.cells("phandle"), root.cells("interrupt-parent"));
    let regions = u64s(&gic.cells("reg"));
    let sizes = match drawn.gic {
        Gic::V2 => (0x10000, 0x2000),
        Gic::V3 => (0x10000, u64::from(drawn.cpus) * 0x20000),
    };
    assert_eq!((regions[1], regions[3]), sizes);
    assert!(gic.children.is_empty(), "nothing that no device needs");

    let virtio = root.each("virtio@").into_iter().map(|node| {
        let registers = u64s(&node.cells("reg"));
        VirtioSlot { base: registers[0], len: registers[1], gsi: node.cells("interrupts")[1] }
    });
    assert_eq!(virtio.collect::<Vec<_>>(), drawn.virtio);

    let chosen = root.child("chosen");
    let cmdline = format!("{}\0", drawn.cmdline);
    assert_eq!(chosen.properties["bootargs"], cmdline.as_bytes());
    let address = |name| chosen.properties.get(name).map(|_| u64s(&chosen.cells(name))[0]);
    assert_eq!(address("linux,initrd-start"), drawn.initrd.as_ref().map(|range| range.start));
    assert_eq!(address("linux,initrd-end"), drawn.initrd.as_ref().map(|range| range.end));
}

proptest! {
    #[test]
    fn a_kernel_finds_all_of_it(drawn in drawn()) {
        check(&drawn);
    }
}

#[test]
fn dtc_has_nothing_to_warn_of() {
    if !dtc::installed("dtc_has_nothing_to_warn_of") {
        return;
    }
    proptest!(ProptestConfig::with_cases(64), |(drawn in drawn())| {
        dtc::text(&drawn.tree());
    });
}
