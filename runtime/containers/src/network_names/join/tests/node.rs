//! A container whose guest the test plays, in a namespace of its own.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use protocol::Cidr;

use super::super::super::netavark::Member;
use super::world::{World, command};
use super::*;
use crate::container::{Container, Tenure};
use crate::network::netns::Netns;
use crate::network::testing::{LONG, until};

/// What a container has of one network, in its namespace.
#[derive(Debug)]
pub struct JoinedInterface {
    pub name: String,
    pub mac: String,
    pub addresses: Vec<Cidr>,
}

impl Joined {
    /// One of each network, in the order in which they were named.
    pub fn interfaces(&self) -> Vec<JoinedInterface> {
        let one = |(name, member): (&String, &Member)| {
            let prefixes =
                self.request.network_info[name].subnets.iter().map(|of| of.subnet.prefix());
            let addresses = member.static_ips.iter().zip(prefixes);
            JoinedInterface {
                name: member.interface_name.clone(),
                mac: member.static_mac.clone().unwrap(),
                addresses: addresses.map(|(&ip, prefix)| Cidr { ip, prefix }).collect(),
            }
        };
        let mut all: Vec<_> = self.request.networks.iter().map(one).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    pub fn ports(&self) -> &[PublishedPort] {
        self._ports.ports()
    }

    pub fn undo(mut self) -> Result<(), NetworkError> {
        self.leave()
    }
}

pub struct Node<'a> {
    pub container: Container,
    tenure: Option<Tenure>,
    namespace: Option<Netns>,
    world: &'a World,
}

impl<'a> Node<'a> {
    pub fn new(container: Container, world: &'a World) -> Self {
        let tenure = Some(container.tenure().unwrap());
        Self { container, tenure, namespace: Some(Netns::new().unwrap()), world }
    }

    pub fn join(&self, ports: &[PublishedPort]) -> Result<Joined, NetworkError> {
        let mut config = self.container.config().clone();
        config.plan.container.network.ports = ports.to_vec();
        let path = self.namespace.as_ref().unwrap().path();
        let (networks, containers) = (&self.world.networks, &self.world.containers);
        let ports = publish(&config, &[], &networks_of(networks, &config)?)?;
        join(networks, containers, &config, &NetworkState::default(), ports, &path)
    }

    /// As SIGKILL does it: what is in memory is no more.
    pub fn kill(&mut self) {
        (self.tenure, self.namespace) = (None, None);
        // What another test starts at this moment has all descriptors until it is another program.
        until("nobody has the container", || !self.container.is_held().unwrap());
    }

    pub fn start_again(&mut self) {
        self.tenure = Some(self.container.tenure().unwrap());
        self.namespace = Some(Netns::new().unwrap());
    }

    pub fn lose_namespace(&mut self) {
        self.namespace = None;
    }

    pub fn remove(mut self) {
        self.world.containers.remove(&self.container, self.tenure.take().unwrap()).unwrap();
    }

    pub fn ip(&self, arguments: &[&str]) -> String {
        let namespace = format!("--net={}", self.namespace.as_ref().unwrap().path().display());
        command("nsenter", &[&[&namespace, "ip"], arguments].concat())
    }

    pub fn mac(&self, interface: &str) -> String {
        self.word_after(interface, "link/ether")
    }

    pub fn mtu(&self, interface: &str) -> String {
        self.word_after(interface, "mtu")
    }

    fn word_after(&self, interface: &str, before: &str) -> String {
        let said = self.ip(&["link", "show", interface]);
        let mut words = said.split_whitespace().skip_while(|word| *word != before);
        words.nth(1).unwrap().to_owned()
    }

    /// What comes of this within.
    fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.as_ref().unwrap().inside(work).unwrap()
    }

    fn listen(&self, address: SocketAddr) -> TcpListener {
        self.within(|| TcpListener::bind(address).unwrap())
    }

    /// Connects with another, who hears and answers.
    pub fn talks_to(&self, other: &Node, address: IpAddr) {
        let listener = other.listen((address, 0).into());
        let target = listener.local_addr().unwrap();
        talk(listener, || self.within(|| TcpStream::connect_timeout(&target, LONG).unwrap()));
    }

    /// Answers whoever connects to this address of the host's.
    pub fn serves(&self, port: u16, host: SocketAddr) {
        let listener = self.listen(([0, 0, 0, 0], port).into());
        talk(listener, || TcpStream::connect_timeout(&host, LONG).unwrap());
    }

    /// Its packets to another are dropped by the rules that keep networks apart.
    pub fn is_kept_from(&self, other: &Node, address: IpAddr) {
        let target = other.listen((address, 0).into()).local_addr().unwrap();
        let dropped = || self.world.dropped();
        let before = dropped();
        until("packets are dropped", || {
            let tried =
                self.within(|| TcpStream::connect_timeout(&target, Duration::from_millis(100)));
            assert!(tried.is_err());
            dropped() > before
        });
    }

    /// A name stands for an address, sooner or later.
    pub fn resolves(&self, server: IpAddr, name: &str, address: IpAddr) {
        until(&format!("{name} is {address} for {server}"), || {
            self.within(|| ask(server, name, address))
        });
    }
}

fn talk(listener: TcpListener, connect: impl FnOnce() -> TcpStream) {
    listener.set_nonblocking(true).unwrap();
    thread::scope(|scope| {
        let answer = scope.spawn(move || {
            let mut called = None;
            // Also where the caller fails, this ends.
            until("somebody calls", || {
                called = listener.accept().ok();
                called.is_some()
            });
            let (mut stream, _) = called.unwrap();
            stream.write_all(b"hello").unwrap();
        });
        let mut said = String::new();
        connect().read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello");
        answer.join().unwrap();
    });
}

/// Whether the answer of a server (RFC 1035, §4.1) ends with the address, as one with this address alone does.
fn ask(server: IpAddr, name: &str, address: IpAddr) -> bool {
    let any: IpAddr = if server.is_ipv6() { [0u16; 8].into() } else { [0u8; 4].into() };
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    let (kind, bytes) = match address {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (28, address.octets().to_vec()),
    };
    query.extend_from_slice(&[0, 0, kind, 0, 1]);
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut answer = [0; 512];
    // It is away for a moment when names change.
    let asked = socket
        .connect((server, 53))
        .and_then(|()| socket.send(&query))
        .and_then(|_| socket.recv(&mut answer));
    asked.is_ok_and(|length| answer[..length].ends_with(&bytes))
}
