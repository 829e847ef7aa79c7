//! What `inspect` says of a container.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::capabilities;
use crate::egress::{interface_facts, rule_facts};
use crate::error::CommandError;
use crate::ports;
use crate::ulimit;
use containers::container::{Config, Container, RestartPolicy, State, Status};
use containers::network::{ExtraHost, HostAddress, InterfaceUse, NetworkMode, NetworkPlan};
use containers::network_names::Attachment;
use containers::supervisor::interfaces;
use containers::vm::Limits;
use containers::vm::user::DEFAULT_BASE;
use host::signal;
use host::text::in_one_line;
use host::time::{NEVER, show};
use images::store::ImageStore;
use protocol::{ByteString, Interface, Tmpfs};

/// How long its supervisor may take to say what its interfaces did.
const PATIENCE: Duration = Duration::from_secs(3);

/// With docker's words where it has them. What has no meaning here is empty, so that templates can name it.
pub fn facts(container: &Container, store: &ImageStore) -> Result<Value, CommandError> {
    let (config, state) = (container.config(), container.state()?);
    let words = texts(&config.plan.container.process.args);
    let image = config.image.manifest.map(|manifest| match store.id_of(manifest) {
        Ok(id) => id.to_string(),
        // Somebody has damaged the store: what is known all the same.
        Err(_) => manifest.to_string(),
    });
    Ok(json!({
        "Id": config.id.as_str(),
        // Docker's names begin so.
        "Name": format!("/{}", config.name),
        "Created": show(config.created),
        "Path": words.first(),
        "Args": words.get(1..).unwrap_or_default(),
        "Image": image.unwrap_or_default(),
        "ImageManifest": config.image.manifest.map(|digest| digest.to_string()).unwrap_or_default(),
        "RestartCount": state.restart_count,
        "LogPath": container.log_path(),
        "Platform": "linux",
        "Driver": "erofs",
        "Mounts": [],
        "ExecIDs": [],
        "State": state_facts(&state),
        "VmLimits": limit_facts(&state.limits),
        "Config": config_facts(config, &words),
        "HostConfig": host_facts(config),
        "NetworkSettings": network_facts(config, &state, &interfaces_of(container)),
    }))
}

fn state_facts(state: &State) -> Value {
    let time = |time: Option<u64>| time.map_or_else(|| NEVER.to_owned(), show);
    json!({
        "Status": state.status.name(),
        "Running": state.status.is_live(),
        "Paused": state.status == Status::Paused,
        "Restarting": state.status == Status::Restarting,
        "OOMKilled": state.out_of_memory,
        "Dead": false,
        "Pid": state.supervisor.unwrap_or(0),
        "ExitCode": state.exit_code,
        "Error": state.error.clone().unwrap_or_default(),
        "StartedAt": time(state.started_at),
        "FinishedAt": time(state.finished_at),
        "Health": null,
    })
}

/// What the VM may use of its host, in the words of cgroup v2; what it is not limited in, and why.
fn limit_facts(limits: &Limits) -> Value {
    json!({
        "Cgroup": limits.path,
        "MemoryMax": limits.memory,
        "PidsMax": limits.pids,
        "CpuMax": limits.cpu,
        "Lack": limits.lack.as_deref().unwrap_or_default(),
    })
}

fn config_facts(config: &Config, words: &[String]) -> Value {
    let process = &config.plan.container.process;
    let (entrypoint, command) = words.split_at(config.entrypoint.min(words.len()));
    json!({
        "Image": config.image.name,
        "Hostname": config.plan.container.setting.hostname.to_string(),
        "Domainname": "",
        "User": process.user.to_string(),
        "Env": texts(&process.env),
        "Entrypoint": entrypoint,
        "Cmd": command,
        "WorkingDir": process.cwd.to_string(),
        "Tty": config.terminal,
        "OpenStdin": config.stdin_open,
        "Labels": config.labels,
        "ExposedPorts": exposed(&config.plan.container.network),
        "Volumes": {},
        "StopSignal": signal::name(config.stop_signal),
        "StopTimeout": config.stop_timeout,
    })
}

fn host_facts(config: &Config) -> Value {
    let (setting, process) = (&config.plan.container.setting, &config.plan.container.process);
    let (restart, retries) = match config.restart {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::OnFailure { max } => ("on-failure", max.unwrap_or(0)),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
    };
    let (added, dropped) = capabilities::changes(process.capabilities);
    let security = [
        process.no_new_privileges.then_some("no-new-privileges"),
        (!process.seccomp).then_some("seccomp=unconfined"),
    ];
    let limit = |limit: Option<u64>| limit.map_or(json!(-1), Value::from);
    let limits = process.limits.iter().map(|limits| {
        json!({"Name": ulimit::name(limits.resource), "Soft": limit(limits.soft), "Hard": limit(limits.hard)})
    });
    let tmpfs = setting.tmpfs.iter().map(|tmpfs| (tmpfs.path.to_string(), options(tmpfs).into()));
    let network = &config.plan.container.network;
    let sysctls =
        network.sysctls.iter().map(|it| (it.key.to_string(), it.value.to_string().into()));
    let processors = config.plan.vm.config.machine_config.vcpu_count;
    json!({
        "AutoRemove": config.auto_remove,
        "ReadonlyRootfs": setting.read_only,
        "Privileged": false,
        "Binds": [],
        "NetworkMode": config.network_names().first().map_or("none", String::as_str),
        "PortBindings": ports::wanted(&network.ports),
        "Dns": network.resolver.nameservers,
        "DnsSearch": texts(&network.resolver.search),
        "DnsOptions": texts(&network.resolver.options),
        "ExtraHosts": network.hosts.iter().map(host).collect::<Vec<_>>(),
        "Egress": rule_facts(network.egress.as_ref()),
        "EgressLinkLocal": network.egress.as_ref().is_some_and(|egress| egress.link_local),
        "Sysctls": sysctls.collect::<Map<String, Value>>(),
        "Memory": setting.memory,
        "NanoCpus": u64::from(processors) * 1_000_000_000,
        "CpuCount": processors,
        "UidBase": config.plan.vm.uid_base.unwrap_or(DEFAULT_BASE),
        "ShmSize": shared_memory(&setting.tmpfs),
        "Tmpfs": tmpfs.collect::<Map<String, Value>>(),
        "CapAdd": added,
        "CapDrop": dropped,
        "SecurityOpt": security.into_iter().flatten().collect::<Vec<_>>(),
        "Ulimits": limits.collect::<Vec<_>>(),
        "RestartPolicy": { "Name": restart, "MaximumRetryCount": retries },
        "LogConfig": {
            "Type": "json-file",
            "Config": { "max-size": config.log.max_size.to_string(), "max-file": config.log.max_file.to_string() },
        },
    })
}

/// What docker gives /dev/shm, and guest-init too (`mounts.rs`).
const SHARED_MEMORY: u64 = 64 << 20;

/// The size of /dev/shm, of which the last of several counts.
fn shared_memory(tmpfs: &[Tmpfs]) -> u64 {
    let own = tmpfs.iter().rfind(|tmpfs| tmpfs.path.as_bytes() == b"/dev/shm");
    own.and_then(|tmpfs| tmpfs.size).unwrap_or(SHARED_MEMORY)
}

/// As `--tmpfs` takes them.
fn options(tmpfs: &Tmpfs) -> String {
    let size = tmpfs.size.map(|size| format!("size={size},")).unwrap_or_default();
    let exec = if tmpfs.executable { "exec" } else { "noexec" };
    format!("{size}mode={:o},{exec}", tmpfs.mode)
}

/// As `--add-host` takes them.
fn host(host: &ExtraHost) -> String {
    match host.address {
        HostAddress::Ip(ip) => format!("{}:{ip}", host.name),
        HostAddress::Gateway => format!("{}:host-gateway", host.name),
    }
}

/// The ports that somebody knows of.
fn exposed(network: &NetworkPlan) -> Value {
    let names = network.known_ports().map(|(port, protocol)| format!("{port}/{protocol}"));
    names.map(|name| (name, json!({}))).collect::<Map<String, Value>>().into()
}

/// Of a supervisor that does not say it, nothing is known.
fn interfaces_of(container: &Container) -> Vec<InterfaceUse> {
    let told = interfaces(container, PATIENCE).unwrap_or_else(|error| {
        log::warn!("{}: {}", container.config().name, in_one_line(&error));
        None
    });
    told.unwrap_or_default()
}

/// What it has while it runs. docker has the addresses of its default network twice.
fn network_facts(config: &Config, state: &State, interfaces: &[InterfaceUse]) -> Value {
    let present = if state.status.is_live() { &state.network.interfaces[..] } else { &[] };
    let mut facts = addresses(present.first());
    let networks: Map<String, Value> = match &config.plan.container.network.mode {
        NetworkMode::Names => {
            let endpoints = present.iter().map(Some).chain(std::iter::repeat(None));
            config.networks.iter().zip(endpoints).map(endpoint).collect()
        }
        mode => [(mode.to_string(), facts.clone())].into_iter().collect(),
    };
    facts["Ports"] = ports::facts(&ports::bindings(state));
    facts["Interfaces"] = interface_facts(interfaces, present);
    facts["Networks"] = networks.into();
    facts
}

/// What it has of a network that has a name.
fn endpoint((on, interface): (&Attachment, Option<&Interface>)) -> (String, Value) {
    let mut facts = addresses(interface);
    facts["NetworkID"] = on.network.as_str().into();
    facts["Aliases"] = json!(on.identity.aliases);
    (on.name.clone(), facts)
}

fn addresses(interface: Option<&Interface>) -> Value {
    let find = |is_v4: bool| {
        let of_family = |ip: IpAddr| ip.is_ipv4() == is_v4;
        let interface = interface?;
        let address = interface.addresses.iter().find(|address| of_family(address.ip))?;
        let routes = interface.routes.iter().filter(|route| route.destination.prefix == 0);
        let gateway = routes.filter_map(|route| route.gateway).find(|gateway| of_family(*gateway));
        Some((address, gateway))
    };
    let facts = |is_v4: bool| match find(is_v4) {
        Some((address, gateway)) => {
            let gateway = gateway.map(|gateway| gateway.to_string());
            (address.ip.to_string(), address.prefix, gateway.unwrap_or_default())
        }
        None => (String::new(), 0, String::new()),
    };
    let ((ip, prefix, gateway), (ip6, prefix6, gateway6)) = (facts(true), facts(false));
    json!({
        "IPAddress": ip, "IPPrefixLen": prefix, "Gateway": gateway,
        "MacAddress": interface.map(|interface| interface.mac.to_string()).unwrap_or_default(),
        "GlobalIPv6Address": ip6, "GlobalIPv6PrefixLen": prefix6, "IPv6Gateway": gateway6,
    })
}

fn texts(texts: &[ByteString]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
