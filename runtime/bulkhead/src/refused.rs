//! Flags of `docker run` that have no meaning here. They are refused by name: what asks for a volume must not run without.

const NETWORKS: &str =
    "networks are not supported yet: a container has its loopback interface only";
const VOLUMES: &str =
    "volumes are not supported yet: put files into the image, or send them on stdin";
const DEVICES: &str = "a container has docker's default devices only, and those of this machine are not in its virtual machine";
const NAMESPACES: &str =
    "each container has a virtual machine of its own: there is nothing to share";
const HEALTH: &str = "health checks are not supported yet";
const PROCESSORS: &str =
    "a container has its virtual machine's processors for itself: give --cpus N";
const MEMORY: &str = "a container has its virtual machine's memory for itself: give --memory SIZE";
const CGROUPS: &str = "a container's cgroup is its virtual machine's own";
const BLOCK: &str = "limits on disks are not supported yet";
const KERNEL: &str = "settings of the guest's kernel are not supported yet";
const TERMINAL: &str =
    "the streams to attach to can't be chosen yet: -i is stdin, -t a terminal, -d none";

/// Each flag, and why it is refused.
#[rustfmt::skip]
const FLAGS: &[(&[&str], &str)] = &[
    (&["--volume", "-v", "--mount", "--volumes-from", "--volume-driver"], VOLUMES),
    (&["--publish", "-p", "--publish-all", "-P", "--expose"], NETWORKS),
    (&["--network", "--net", "--network-alias", "--net-alias", "--link", "--link-local-ip"], NETWORKS),
    (&["--ip", "--ip6", "--mac-address", "--dns", "--dns-opt", "--dns-option", "--dns-search"], NETWORKS),
    (&["--add-host", "--domainname"], NETWORKS),
    (&["--device", "--device-cgroup-rule", "--gpus"], DEVICES),
    (&["--pid", "--ipc", "--uts", "--userns", "--cgroupns"], NAMESPACES),
    (&["--cgroup-parent", "--oom-kill-disable", "--oom-score-adj"], CGROUPS),
    (&["--health-cmd", "--health-interval", "--health-retries", "--health-start-interval"], HEALTH),
    (&["--health-start-period", "--health-timeout", "--no-healthcheck"], HEALTH),
    (&["--cpu-count", "--cpu-percent", "--cpu-period", "--cpu-quota", "--cpu-rt-period"], PROCESSORS),
    (&["--cpu-rt-runtime", "--cpu-shares", "-c", "--cpuset-cpus", "--cpuset-mems"], PROCESSORS),
    (&["--kernel-memory", "--memory-reservation", "--memory-swap", "--memory-swappiness"], MEMORY),
    (&["--blkio-weight", "--blkio-weight-device", "--device-read-bps", "--device-read-iops"], BLOCK),
    (&["--device-write-bps", "--device-write-iops", "--io-maxbandwidth", "--io-maxiops"], BLOCK),
    (&["--sysctl"], KERNEL),
    (&["--attach", "-a", "--detach-keys", "--sig-proxy"], TERMINAL),
    (&["--pids-limit"], "not supported yet: give --ulimit nproc=N to limit the processes of a user"),
    (&["--shm-size"], "not supported yet: give --tmpfs /dev/shm:size=SIZE"),
    (&["--storage-opt"], "not supported: give --scratch SIZE for a disk to write to"),
    (&["--privileged"], "not supported: give --cap-add ALL --security-opt seccomp=unconfined for all rights inside the container"),
    (&["--init"], "not supported yet: let the image's entrypoint be an init"),
    (&["--group-add"], "not supported yet: let the image's /etc/group list the user"),
    (&["--log-driver"], "logs are JSON lines always: give --log-opt for their size"),
    (&["--runtime", "--isolation"], "there is one runtime here: a virtual machine for each container"),
    (&["--cidfile"], "not supported yet: create and run -d print the ID"),
    (&["--annotation"], "not supported: give --label NAME=VALUE"),
    (&["--disable-content-trust"], "images are checked by their digests only"),
    (&["--use-api-socket"], "there is no daemon here, and no socket of one"),
];

/// Why the flag is refused, if docker has it and we do not.
pub fn refusal(flag: &str) -> Option<&'static str> {
    FLAGS.iter().find_map(|(names, why)| names.contains(&flag).then_some(*why))
}
