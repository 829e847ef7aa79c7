//! Disks: requests that are under way, and bytes that look like something.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Mutex;

use devices::GuestMemory;
use devices::testing::{Counter, memory};
use devices::virtio::block::{Block, Disk, FileDisk, Job, turn};
use devices::virtio::mmio::Mmio;
use vm_memory::{Bytes, GuestAddress, VolatileSlice};

use super::driver::register::{CONFIG, STATUS};
use super::driver::{NEEDS_RESET, Ring, WRITE, get, put, start};

/// VIRTIO_BLK_T_IN and _OUT (virtio 1.2 §5.2.6).
const IN: u32 = 0;
const OUT: u32 = 1;
const SECTOR: usize = 512;

/// Where headers, states and data of requests stand.
const HEADER_AT: u64 = 0x4000;
const STATUS_AT: u64 = 0x5000;
const DATA_AT: u64 = 0x8000;

/// A disk each of whose sectors is full of its own number.
struct Numbered;

impl Disk for Numbered {
    fn len(&self) -> u64 {
        256 * SECTOR as u64
    }

    fn read_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        let number = (offset / SECTOR as u64) as u8;
        buffers.iter().for_each(|buffer| buffer.copy_from(&vec![number; buffer.len()]));
        Ok(())
    }
}

struct Machine {
    mmio: Mutex<Mmio<Block>>,
    mem: GuestMemory,
    ring: Ring,
}

impl Machine {
    fn new(len: u64) -> Machine {
        let mem = memory(0x2_0000);
        let (irq, bell) = (Box::new(Counter::default()), Box::new(Counter::default()));
        let mut mmio = Mmio::new(Block::new(len, "", false), mem.clone(), irq, bell);
        let ring = Ring::new(&mem, 0, 16);
        start(&mut mmio, &[&ring]);
        Machine { mmio: Mutex::new(mmio), mem, ring }
    }

    fn mmio(&mut self) -> &mut Mmio<Block> {
        self.mmio.get_mut().unwrap()
    }

    /// A request for a sector, always in the same descriptors; its buffers are those of slot `slot`.
    fn describe(&self, kind: u32, sector: u8, slot: u64) {
        let (header, status) = (HEADER_AT + 16 * slot, STATUS_AT + slot);
        self.mem.write_obj([u64::from(kind), sector.into()], GuestAddress(header)).unwrap();
        self.mem.write_obj(0xff_u8, GuestAddress(status)).unwrap();
        let (flags, len) = (if kind == IN { WRITE } else { 0 }, SECTOR as u32);
        let data = (data_at(slot), len, flags);
        self.ring.describe(0, &[(header, 16, 0), data, (status, 1, WRITE)]);
    }

    fn take(&mut self) -> Job {
        self.mmio().take(|block, queues, mem| block.next(&mut queues[0], mem)).unwrap()
    }

    /// Has a request of slot 0 done.
    fn request(&mut self, kind: u32, sector: u8, disk: &mut dyn Disk) {
        self.describe(kind, sector, 0);
        self.ring.offer(0);
        assert!(!turn(&self.mmio, disk, &self.mem));
        assert!(self.ring.take_used().is_some());
    }

    /// What was read into a slot, and its status.
    fn read(&self, slot: u64) -> (Vec<u8>, u8) {
        let mut data = vec![0; SECTOR];
        self.mem.read_slice(&mut data, GuestAddress(data_at(slot))).unwrap();
        (data, self.mem.read_obj(GuestAddress(STATUS_AT + slot)).unwrap())
    }
}

fn data_at(slot: u64) -> u64 {
    DATA_AT + SECTOR as u64 * slot
}

/// Cloud Hypervisor (GHSA-f47p-p25q-83rh) kept requests under way by the number of their first descriptor. A driver that offered
/// the same one twice had the second take the place of the first, whose buffers were freed while the kernel still wrote to them.
/// Ours belong to the request, and are copies.
#[test]
fn cve_2026_45782_chains_with_one_head_are_done_and_given_back_each_by_itself() {
    let mut machine = Machine::new(Numbered.len());
    assert!(machine.mmio().begin_turn());
    // The very same descriptors, which change while the requests are under way.
    let mut jobs: Vec<Option<Job>> = Vec::new();
    for slot in 0..4 {
        machine.describe(IN, 10 + slot as u8, slot);
        machine.ring.offer(0);
        jobs.push(Some(machine.take()));
    }
    machine.ring.describe(0, &[(u64::MAX, u32::MAX, WRITE)]);
    for slot in [2, 0, 3, 1] {
        let done = jobs[slot].take().unwrap().run(&mut Numbered, &machine.mem);
        assert_eq!(machine.read(slot as u64), (vec![10 + slot as u8; SECTOR], 0));
        machine.mmio().answer(0, done.token, done.written);
        assert_eq!(machine.ring.take_used(), Some((0, SECTOR as u32 + 1)));
        assert_eq!(machine.ring.take_used(), None);
    }

    // The driver takes everything back meanwhile: the device is not reset before the requests have come back, and uses none.
    machine.describe(IN, 20, 5);
    (0..2).for_each(|_| machine.ring.offer(0));
    let jobs = [machine.take(), machine.take()];
    put(machine.mmio(), STATUS, 0);
    for job in jobs {
        assert_eq!(get(machine.mmio(), STATUS), NEEDS_RESET);
        let done = job.run(&mut Numbered, &machine.mem);
        machine.mmio().answer(0, done.token, done.written);
    }
    assert_eq!((get(machine.mmio(), STATUS), machine.ring.take_used()), (0, None));

    // The whole device goes: what a request holds stays.
    let mut machine = Machine::new(Numbered.len());
    machine.describe(IN, 30, 0);
    machine.ring.offer(0);
    assert!(machine.mmio().begin_turn());
    let job = machine.take();
    let mem = machine.mem.clone();
    drop(machine);
    assert_eq!(job.run(&mut Numbered, &mem).written.unwrap(), SECTOR as u32 + 1);
}

/// The first bytes of files that VMMs take for more than bytes: QCOW2, VHD, VHDX, VMDK, QED, LUKS.
const MAGICS: [&[u8]; 6] =
    [b"QFI\xfb\0\0\0\x03", b"conectix", b"vhdxfile", b"KDMV\x01\0\0\0", b"QED\0", b"LUKS\xba\xbe"];

/// Cloud Hypervisor (CVE-2026-27211) looked at a disk's first bytes to learn its format. A guest wrote a QCOW2 header there that
/// named a file of the host's as what lies behind, and after its next start read that file. Ours are bytes.
#[test]
fn ghsa_jmr4_g2hv_mjj6_what_a_guest_writes_to_its_disk_is_never_a_format() {
    const SECTORS: usize = 8;
    let secret = tempfile::NamedTempFile::new().unwrap();
    secret.as_file().write_all(&[b'S'; 64 << 10]).unwrap();
    for magic in MAGICS {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[7; SECTORS * SECTOR]).unwrap();
        let open = || {
            let options = File::options().read(true).write(true).open(file.path());
            FileDisk::new(options.unwrap()).unwrap()
        };
        // QCOW2's header (qemu, docs/interop/qcow2.rst): the backing file's name at 0x68, a virtual size of 1 TiB.
        let name = secret.path().to_str().unwrap().as_bytes();
        let mut header = vec![0; SECTOR];
        header[8..16].copy_from_slice(&0x68_u64.to_be_bytes());
        header[16..20].copy_from_slice(&(name.len() as u32).to_be_bytes());
        header[20..24].copy_from_slice(&16_u32.to_be_bytes());
        header[24..32].copy_from_slice(&(1_u64 << 40).to_be_bytes());
        header[0x68..0x68 + name.len()].copy_from_slice(name);
        header[..magic.len()].copy_from_slice(magic);

        // VHD has a copy of its header at the end.
        let last = SECTORS as u8 - 1;
        let mut disk = open();
        let mut machine = Machine::new(disk.len());
        for sector in [0, last] {
            machine.mem.write_slice(&header, GuestAddress(data_at(0))).unwrap();
            machine.request(OUT, sector, &mut disk);
        }
        drop((machine, disk));

        // The next start.
        let mut disk = open();
        assert_eq!(disk.len(), (SECTORS * SECTOR) as u64);
        let mut machine = Machine::new(disk.len());
        assert_eq!(get(machine.mmio(), CONFIG), SECTORS as u32);
        for sector in 0..=last {
            machine.request(IN, sector, &mut disk);
            let written = [0, last].contains(&sector);
            let expected = if written { header.clone() } else { vec![7; SECTOR] };
            assert_eq!(machine.read(0), (expected, 0), "{magic:?}, sector {sector}");
        }
        let mut whole = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut whole).unwrap();
        assert_eq!(whole.len(), SECTORS * SECTOR, "the file neither grew nor was it cut");
    }
}
