//! What the kernel tells of a VM's process (proc(5)).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

/// Every kind but the user's, in which root needs none of its own.
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

/// The first child of a process.
pub fn child_of(parent: u32) -> Option<u32> {
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = parent.to_string();
    numbers.find(|number| field(*number, "PPid").is_some_and(|found| found == parent))
}

/// A file of `/proc/PID`.
pub fn read(process: u32, file: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(format!("/proc/{process}/{file}")).ok()?).into_owned())
}

/// A line of `/proc/PID/status` (proc_pid_status(5)).
pub fn field(process: u32, name: &str) -> Option<String> {
    let status = read(process, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The soft and the hard limit (proc_pid_limits(5)).
pub fn limits(process: u32, name: &str) -> [String; 2] {
    let limits = read(process, "limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let mut words = line.split_whitespace().map(str::to_owned);
    [words.next().unwrap(), words.next().unwrap()]
}

/// Waits for something that happens soon.
pub fn until(done: impl Fn() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it does not happen");
}

/// The state's letter (proc_pid_stat(5)).
pub fn state(process: u32) -> Option<char> {
    read(process, "stat")?.rsplit_once(") ")?.1.chars().next()
}

/// Whether nothing runs in it any more.
pub fn has_ended(process: u32) -> bool {
    matches!(state(process), None | Some('Z' | 'X'))
}

/// Where descriptors lead, without the numbers of what has no name.
pub fn descriptors(process: u32) -> Vec<String> {
    let folder = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let mut found: Vec<_> = folder
        .map(|entry| {
            let path = fs::read_link(entry.unwrap().path()).unwrap();
            let path = path.to_string_lossy();
            // `pipe:[1234]`, but `anon_inode:[eventfd]`.
            let kind = path.split_once(":[").filter(|(_, rest)| rest.starts_with(char::is_numeric));
            kind.map_or(&*path, |(kind, _)| kind).to_owned()
        })
        .collect();
    found.sort();
    found
}

/// What is so of each of its threads, whoever started it.
pub fn assert_locked_in(inner: u32) {
    let threads = fs::read_dir(format!("/proc/{inner}/task")).unwrap();
    let mut names = BTreeSet::new();
    for thread in threads {
        let number: u32 = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
        names.insert(field(number, "Name").unwrap());
        assert_eq!(field(number, "NoNewPrivs").unwrap(), "1");
        // SECCOMP_MODE_FILTER.
        assert_eq!(field(number, "Seccomp").unwrap(), "2");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(number, set).unwrap(), "0000000000000000", "{set}");
        }
        assert_eq!(read(number, "environ").unwrap().trim_matches('\0'), "");
        let own = |kind: &&str| {
            let namespace = |who: &str| fs::read_link(format!("/proc/{who}/ns/{kind}")).unwrap();
            assert_ne!(namespace(&number.to_string()), namespace("self"), "{kind}");
        };
        NAMESPACES.iter().for_each(own);
    }
    // KVM itself adds a thread that runs in the kernel only (`kvm_mmu_start_lpage_recovery` in linux/arch/x86/kvm/mmu/mmu.c).
    names.remove("kvm-nx-lpage-re");
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["bulkhead-vmm", "vcpu0"]);
    assert_eq!(field(inner, "NSpid").unwrap().split(' ').next_back(), Some("1"));
    let root = format!("/proc/{inner}/root");
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    let metadata = fs::metadata(format!("{root}/")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0);
    assert!(fs::write(format!("{root}/x"), "").is_err());
    // One mount: nothing is below or above it.
    assert_eq!(read(inner, "mountinfo").unwrap().lines().count(), 1);
    assert_eq!(read(inner, "net/dev").unwrap().lines().count(), 3, "no device but loopback");
    assert_eq!(limits(inner, "Max core file size"), ["0", "0"]);
    assert_eq!(field(inner, "Umask").unwrap(), "0077");
}
