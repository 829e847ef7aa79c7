//! What of docker's command line is refused, and why, in the order of docker's reference (docs/reference/commandline).

use super::{Harmless, Refusal};

const NETWORKS: &str = "give --network NETWORK:alias=NAME,ip=ADDRESS";
const LINKS: &str = "containers find each other by the names they have on a network";
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
const TERMINAL: &str =
    "the streams to attach to can't be chosen yet: -i is stdin, -t a terminal, -d none";
const SIGNALS: &str = "signals always go to the container's process";
const KEYS: &str = "the keys can't be chosen yet: Ctrl-P Ctrl-Q leaves";
/// Docker's own, which are the ones here.
const USUAL_KEYS: &str = "ctrl-p,ctrl-q";
const RUNTIME: &str = "there is one runtime here: a virtual machine for each container";
const TRUST: &str = "images are checked by their digests only";
const DAEMON: &str = "there is no daemon here, and no socket of one";
const CHECKPOINTS: &str = "checkpoints are not supported";
const SIZES: &str = "sizes of what containers have written are not supported yet";
const PLATFORMS: &str =
    "the store has each image for one platform: give pull --platform for another";

/// Before any command.
pub(super) const BULKHEAD: &[Refusal] = &[
    refusal(&["--config"], "docker's config.json is sought in the folder that DOCKER_CONFIG names"),
    refusal(&["--context", "-c", "--host", "-H"], DAEMON),
    refusal(&["--debug", "-D", "--log-level", "-l"], "RUST_LOG says what is logged"),
    refusal(&["--tls", "--tlscacert", "--tlscert", "--tlskey", "--tlsverify"], DAEMON),
];

/// Of `run`, `create` and `prepare`.
pub(super) const RUN: &[Refusal] = &[
    refusal(&["--volume", "-v", "--mount", "--volumes-from", "--volume-driver"], VOLUMES),
    refusal(&["--network-alias", "--net-alias", "--link", "--link-local-ip"], NETWORKS),
    refusal(&["--domainname"], "not supported: give --hostname NAME.DOMAIN"),
    refusal(&["--device", "--device-cgroup-rule", "--gpus"], DEVICES),
    refusal(&["--pid", "--uts", "--userns"], NAMESPACES),
    words(&["--ipc"], &["private", "shareable"], NAMESPACES),
    words(&["--cgroupns"], &["private"], NAMESPACES),
    refusal(&["--cgroup-parent", "--oom-score-adj"], CGROUPS),
    switch(&["--oom-kill-disable"], false, CGROUPS),
    refusal(
        &["--health-cmd", "--health-interval", "--health-retries", "--health-start-interval"],
        HEALTH,
    ),
    refusal(&["--health-start-period", "--health-timeout"], HEALTH),
    switch(
        &["--no-healthcheck"],
        true,
        "health checks are not supported yet, so there is none to switch off",
    ),
    refusal(
        &["--cpu-count", "--cpu-percent", "--cpu-period", "--cpu-quota", "--cpu-rt-period"],
        PROCESSORS,
    ),
    refusal(
        &["--cpu-rt-runtime", "--cpu-shares", "-c", "--cpuset-cpus", "--cpuset-mems"],
        PROCESSORS,
    ),
    refusal(
        &["--kernel-memory", "--memory-reservation", "--memory-swap", "--memory-swappiness"],
        MEMORY,
    ),
    refusal(
        &["--blkio-weight", "--blkio-weight-device", "--device-read-bps", "--device-read-iops"],
        BLOCK,
    ),
    refusal(
        &["--device-write-bps", "--device-write-iops", "--io-maxbandwidth", "--io-maxiops"],
        BLOCK,
    ),
    refusal(&["--attach", "-a"], TERMINAL),
    words(&["--detach-keys"], &[USUAL_KEYS], KEYS),
    switch(&["--sig-proxy"], true, SIGNALS),
    words(
        &["--pids-limit"],
        &["-1", "0"],
        "not supported yet: give --ulimit nproc=N to limit the processes of a user",
    ),
    refusal(&["--storage-opt"], "not supported: give --scratch SIZE for a disk to write to"),
    switch(
        &["--privileged"],
        false,
        "not supported: give --cap-add ALL --security-opt seccomp=unconfined for all rights inside the container",
    ),
    switch(&["--init"], false, "not supported yet: let the image's entrypoint be an init"),
    refusal(&["--group-add"], "not supported yet: let the image's /etc/group list the user"),
    words(
        &["--log-driver"],
        &["json-file"],
        "logs are JSON lines always: give --log-opt for their size",
    ),
    refusal(&["--runtime"], RUNTIME),
    words(&["--isolation"], &["default"], RUNTIME),
    refusal(&["--annotation"], "not supported: give --label NAME=VALUE"),
    switch(&["--disable-content-trust"], true, TRUST),
    switch(&["--use-api-socket"], false, DAEMON),
];

/// Of the others.
pub(super) const OTHERS: &[(&str, &[Refusal])] = &[
    (
        "attach",
        &[words(&["--detach-keys"], &[USUAL_KEYS], KEYS), switch(&["--sig-proxy"], true, SIGNALS)],
    ),
    ("exec", &[words(&["--detach-keys"], &[USUAL_KEYS], KEYS)]),
    (
        "images",
        &[switch(
            &["--tree"],
            false,
            "the store has each image for one platform: there is no tree of them",
        )],
    ),
    ("inspect", &[switch(&["--size", "-s"], false, SIZES)]),
    ("load", &[refusal(&["--platform"], "the image that fits this machine best is loaded")]),
    ("logs", &[switch(&["--details"], false, "logs hold no details besides stream and time")]),
    (
        "network",
        &[
            refusal(&["--attachable", "--ingress", "--scope"], "there is no swarm here"),
            refusal(
                &["--aux-address", "--ip-range", "--ipam-driver", "--ipam-opt"],
                "addresses are chosen from the whole subnet: give a container its own with ip=",
            ),
            refusal(
                &["--config-from", "--config-only"],
                "each network has its own configuration: give it its flags",
            ),
            refusal(
                &["--driver-opt", "--gw-priority"],
                "the first of a container's networks is its way out",
            ),
            refusal(
                &["--link", "--link-local-ip"],
                "give a name with --alias, an address with --ip",
            ),
            refusal(&["--verbose", "-v"], "there is nothing more to show"),
        ],
    ),
    ("ps", &[switch(&["--size", "-s"], false, SIZES)]),
    (
        "pull",
        &[
            switch(&["--all-tags", "-a"], false, "one image is pulled at a time"),
            switch(&["--disable-content-trust"], true, TRUST),
        ],
    ),
    ("rm", &[switch(&["--link", "-l"], false, LINKS)]),
    (
        "rmi",
        &[
            switch(&["--no-prune"], false, "an image has no parents in the store"),
            refusal(&["--platform"], PLATFORMS),
        ],
    ),
    ("save", &[refusal(&["--platform"], PLATFORMS)]),
    (
        "start",
        &[
            refusal(&["--checkpoint", "--checkpoint-dir"], CHECKPOINTS),
            words(&["--detach-keys"], &[USUAL_KEYS], KEYS),
        ],
    ),
];

/// Docker's commands that are not here.
pub(super) const COMMANDS: &[Refusal] = &[
    refusal(
        &["bake", "build", "builder", "buildx"],
        "images are not built here: build with another tool, and load what it saves",
    ),
    refusal(&["checkpoint"], CHECKPOINTS),
    refusal(
        &["commit"],
        "a container's files don't become an image: export them, and build one with another tool",
    ),
    refusal(
        &["compose", "stack", "swarm", "node", "service", "config", "secret"],
        "one container at a time: there is no orchestration here",
    ),
    refusal(
        &["container"],
        "give the command alone, as in: bulkhead run, bulkhead ps for docker container ls",
    ),
    refusal(
        &["image"],
        "give the command alone, as in: bulkhead pull, bulkhead images for docker image ls",
    ),
    refusal(&["system"], "give the command alone, as in: bulkhead info, bulkhead prune"),
    refusal(&["context"], DAEMON),
    refusal(&["diff"], "not supported yet: bulkhead export and tar show what is in a container"),
    refusal(
        &["events"],
        "there is no daemon that sees what happens: bulkhead wait, logs -f and ps tell of one container",
    ),
    refusal(&["history"], "not supported yet: bulkhead inspect shows an image's layers"),
    refusal(
        &["import"],
        "not needed: bulkhead run takes a folder or a tar of a root file system as it is",
    ),
    refusal(
        &["login", "logout"],
        "docker login and podman login write the credentials that pull reads",
    ),
    refusal(
        &["manifest", "push", "search"],
        "images are pulled from registries only: save writes an archive for skopeo and docker",
    ),
    refusal(&["plugin"], "there are no plugins here"),
    refusal(&["update"], "a container is what it was created as: create another one"),
    refusal(&["volume"], VOLUMES),
];

const fn refusal(names: &'static [&'static str], why: &'static str) -> Refusal {
    Refusal { names, harmless: Harmless::Nothing, why }
}

/// A flag that is on or off, and may be given where it says what is so anyway.
const fn switch(names: &'static [&'static str], harmless: bool, why: &'static str) -> Refusal {
    Refusal { names, harmless: Harmless::Switch(harmless), why }
}

/// A flag with a text, and the texts that say what is so anyway.
const fn words(
    names: &'static [&'static str],
    harmless: &'static [&'static str],
    why: &'static str,
) -> Refusal {
    Refusal { names, harmless: Harmless::Words(harmless), why }
}
