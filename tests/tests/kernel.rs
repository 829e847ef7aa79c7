//! What a container finds in the guest kernel of our own: all that docker asks a kernel for, and enough for a distribution's
//! large programs and for containers in the container.

use std::fs;
use std::path::PathBuf;

use bulkhead_tests::{Images, Outcome, Running, World, elf32, skip};

/// A folder with programs of Debian's, made by `cargo xtask test`.
const DISTRIBUTION: &str = "BULKHEAD_DISTRIBUTION";

/// The options that docker's own `contrib/check-config.sh` (moby) asks a 6.12 kernel for: what it calls generally necessary,
/// its optional features and its network drivers, and the storage driver that is in use everywhere. Left out, as in
/// `boot/kernel/common.config`: SELinux and AppArmor, encrypted overlay networks, and the other storage drivers.
const ASKED_BY_DOCKER: &[&str] = &[
    "NAMESPACES NET_NS PID_NS IPC_NS UTS_NS USER_NS",
    "CGROUPS CGROUP_CPUACCT CGROUP_DEVICE CGROUP_FREEZER CGROUP_SCHED CPUSETS MEMCG CGROUP_BPF CGROUP_PIDS",
    "KEYS POSIX_MQUEUE SECCOMP SECCOMP_FILTER",
    "VETH BRIDGE BRIDGE_NETFILTER",
    "IP_NF_FILTER IP_NF_MANGLE IP_NF_RAW IP_NF_NAT IP_NF_TARGET_MASQUERADE IP_NF_TARGET_REDIRECT NF_NAT",
    "IP6_NF_FILTER IP6_NF_MANGLE IP6_NF_RAW IP6_NF_NAT IP6_NF_TARGET_MASQUERADE",
    "NETFILTER_XT_MATCH_ADDRTYPE NETFILTER_XT_MATCH_CONNTRACK NETFILTER_XT_MATCH_IPVS NETFILTER_XT_MARK",
    "BLK_CGROUP BLK_DEV_THROTTLING CGROUP_PERF CGROUP_HUGETLB NET_CLS_CGROUP CGROUP_NET_PRIO",
    "CFS_BANDWIDTH FAIR_GROUP_SCHED",
    "IP_SCTP IP_VS IP_VS_NFCT IP_VS_PROTO_TCP IP_VS_PROTO_UDP IP_VS_RR",
    "NFT_CT NFT_FIB_IPV4 NFT_FIB_IPV6 NFT_FIB NFT_MASQ NFT_NAT NF_TABLES",
    "EXT4_FS EXT4_FS_POSIX_ACL EXT4_FS_SECURITY OVERLAY_FS",
    "VXLAN BRIDGE_VLAN_FILTERING IPVLAN MACVLAN DUMMY",
    "NETFILTER_XT_MATCH_BPF",
    "NF_NAT_FTP NF_CONNTRACK_FTP NF_NAT_TFTP NF_CONNTRACK_TFTP",
];

/// A database cluster is made, started, asked and stopped. It refuses to be root's.
const POSTGRESQL: &str = "
    set -e
    PATH=/usr/lib/postgresql/15/bin:$PATH
    initdb --pgdata /tmp/db --username me --locale C --no-sync >/tmp/initdb 2>&1 || cat /tmp/initdb
    options='-k /tmp -c listen_addresses= -c fsync=off'
    pg_ctl --pgdata /tmp/db --wait --timeout 600 --log /tmp/log -o \"$options\" start >/dev/null || cat /tmp/log
    psql -h /tmp -U me -AtX -d postgres -c 'select sum(n), count(*) from generate_series(1, 1000) n'
    pg_ctl --pgdata /tmp/db --wait --timeout 600 --mode fast stop >/dev/null";

/// A thread, a server on the loopback interface, randomness and a look at a folder.
const NODE: &str = r#"
    const { Worker } = require("worker_threads"), http = require("http"), crypto = require("crypto");
    require("fs").watch("/tmp").close();
    const host = "127.0.0.1";
    const worker = new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true });
    worker.on("message", (number) => {
        console.log(number, crypto.randomBytes(16).length);
        const server = http.createServer((request, response) => response.end("got " + request.url));
        server.listen(0, host, () => http.get({ host, port: server.address().port, path: "/x" }, (response) => {
            response.on("data", (data) => console.log(String(data)));
            response.on("end", () => server.close());
        }));
    });"#;

/// Sockets, processes that share semaphores, a database with locks, and what only newer kernels have.
const PYTHON: &str = r#"
import asyncio, multiprocessing, os, signal, sqlite3
async def talk():
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()
    server = await asyncio.start_server(answer, "::1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"hello\n")
    return (await reader.readline()).decode().strip()
print(asyncio.run(talk()))
with multiprocessing.Pool(2) as pool:
    print(sum(pool.map(abs, range(-10, 1))))
database = sqlite3.connect("/tmp/sqlite")
database.execute("pragma journal_mode=wal")
database.execute("create table t as select 7 as n")
print(*database.execute("select n from t").fetchone())
pidfd = os.pidfd_open(os.getpid())
signal.pidfd_send_signal(pidfd, 0)
os.setxattr("/tmp/sqlite", "user.test", b"kept")
memory = os.memfd_create("memory")
os.write(memory, os.getxattr("/tmp/sqlite", "user.test"))
print(os.pread(memory, 4, 0).decode())
"#;

/// A container's /dev has no more than docker's: who wants taps makes the node, which takes a right that root in a user namespace
/// of its own does not have. Then comes the rest of the command.
const WITH_TUN: &str = r#"set -e; mkdir /dev/net; mknod -m 666 /dev/net/tun c 10 200; exec "$@""#;

/// What a container engine does for a container, as a user that is root in a namespace of its own.
const NESTED: &str = "
    set -e
    mkdir /mnt
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/lower /mnt/upper /mnt/work /mnt/all
    echo lower > /mnt/lower/file
    mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/all
    echo upper >> /mnt/all/file
    echo $(cat /mnt/all/file), below $(cat /mnt/lower/file), $(id -u) of $$
    ip link set lo up
    ip link add bridge0 type bridge
    ip link add outside type veth peer name inside
    ip link set outside master bridge0
    ip tuntap add tap0 mode tap
    ip link add dummy0 type dummy
    ip link add link dummy0 macvlan0 type macvlan
    ip link add vxlan0 type vxlan id 1 dstport 4789
    echo $(tail -n +3 /proc/net/dev | tr -d ' ' | cut -d : -f 1 | sort)
    nft -f - <<'RULES'
        table inet filter {
            set open { type inet_service; flags interval; elements = { 80, 8000-9000 } }
            chain input { type filter hook input priority 0; policy drop;
                ct state established,related accept
                tcp dport @open counter accept
                meta l4proto icmp limit rate 10/second log prefix \"icmp\" accept
                reject with icmpx port-unreachable
            }
        }
        table ip nat {
            chain out { type nat hook postrouting priority srcnat; masquerade; }
            chain in { type nat hook prerouting priority dstnat; tcp dport 80 dnat to 10.0.0.2:8080; }
        }
        table bridge filter {
            chain forward { type filter hook forward priority 0; ether type arp accept; }
        }
RULES
    nft list tables
    for tables in nft legacy; do
        for family in iptables ip6tables; do
            xtables-$tables-multi $family -t nat -A POSTROUTING -o bridge0 -j MASQUERADE
            xtables-$tables-multi $family -t nat -A PREROUTING -p tcp --dport 81 -m addrtype --dst-type LOCAL -j REDIRECT --to-ports 82
            xtables-$tables-multi $family -A FORWARD -m conntrack --ctstate ESTABLISHED -m comment --comment x -j ACCEPT
        done
        xtables-$tables-multi iptables -t nat -S POSTROUTING
    done";

/// The programs as an image, and a world to run them in.
fn setting(test: &str) -> Option<(World, String)> {
    let world = World::new(test).filter(|world| is_our_own(test, world))?;
    let folder = std::env::var_os(DISTRIBUTION).map(PathBuf::from).filter(|path| path.is_dir());
    let Some(folder) = folder else {
        skip(test, "no programs of a distribution: `cargo xtask test` downloads them");
        return None;
    };
    Some((world, folder.into_os_string().into_string().unwrap()))
}

/// Whether guests boot a kernel of our own, which needs no modules and tells its configuration.
fn is_our_own(test: &str, world: &World) -> bool {
    let own = !world.kernel().with_file_name("modules").exists();
    if !own {
        skip(test, "guests boot a distribution's kernel, whose modules stay outside");
    }
    own
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn programs_of_a_distribution_run() {
    let Some((world, image)) = setting("programs_of_a_distribution_run") else { return };
    let run = |flags: &[&str], command: &[&str]| -> Outcome {
        let flags = [&["--memory", "512M"], flags].concat();
        Running::start(&mut world.run(&flags, &image, command), "").wait()
    };
    run(&[], &["python3", "-c", PYTHON]).assert(0, "HELLO\n55\n7\nkept\n", "");
    run(&[], &["node", "-e", NODE]).assert(0, "42 16\ngot /x\n", "");
    run(&["--user", "www-data"], &["bash", "-c", POSTGRESQL]).assert(0, "500500|1000\n", "");

    let free = ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined"];
    let new = "unshare --user --map-root-user --mount --net --pid --fork --mount-proc";
    let new: Vec<&str> = new.split(' ').collect();
    let command = [&["bash", "-c", WITH_TUN, "bash"], &new[..], &["bash", "-c", NESTED]].concat();
    let expected = "lower upper, below lower, 0 of 1\n\
                    bridge0 dummy0 inside lo macvlan0 outside tap0 vxlan0\n\
                    table inet filter\ntable ip nat\ntable bridge filter\n\
                    -P POSTROUTING ACCEPT\n-A POSTROUTING -o bridge0 -j MASQUERADE\n\
                    -P POSTROUTING ACCEPT\n-A POSTROUTING -o bridge0 -j MASQUERADE\n";
    run(&free, &command).assert(0, expected, "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_kernel_of_our_own_has_what_docker_asks_for() {
    let test = "a_kernel_of_our_own_has_what_docker_asks_for";
    let Some(world) = World::new(test).filter(|world| is_our_own(test, world)) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let image = images.get("root");
    // The file says the same as the kernel's own `/proc/config.gz`.
    let script = "busybox zcat /proc/config.gz; cat /sys/fs/cgroup/cgroup.controllers; cat /proc/pressure/memory | wc -l; \
                  echo $(ls /sys/class/net)";
    let outcome = world.shell(&["--network", "none"], &image, script);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let has = |option: &str| lines.contains(&format!("CONFIG_{option}=y").as_str());
    let options = ASKED_BY_DOCKER.iter().flat_map(|line| line.split(' '));
    let missing: Vec<&str> = options.filter(|option| !has(option)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!has("MODULES"));
    let [controllers, pressure, interfaces] = lines[lines.len() - 3..] else { unreachable!() };
    for controller in ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"] {
        let present = controllers.split(' ').any(|word| word == controller);
        assert!(present, "{controller} is not among {controllers}");
    }
    assert_eq!(pressure, "2", "some and full");
    assert_eq!(interfaces, "lo");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn programs_of_32_bits_run() {
    let test = "programs_of_32_bits_run";
    let Some(world) = World::new(test).filter(|world| is_our_own(test, world)) else { return };
    let root = world.path("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("program"), elf32::makes_a_socket_and_an_unknown_call()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(root.join("program"), mode).unwrap();
    let mut run = world.run(&[], root.to_str().unwrap(), &["/program"]);
    // ENOSYS, not the EPERM of a call that is refused.
    Running::start(&mut run, "").wait().assert(38, "", "");
    world.assert_nothing_left();
}
