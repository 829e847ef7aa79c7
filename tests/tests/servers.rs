//! Debian's nginx, redis and PostgreSQL, each in a container that publishes its port: what clients on the host get of them, and
//! what is there again in the container's next life. The clients are Debian's too, and run in the server's own root file system.

#[path = "network/resolver.rs"]
mod resolver;
#[path = "servers/scripts.rs"]
mod scripts;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use bulkhead_tests::{NOT_LOOPBACK, Outcome, PATIENCE, Running, World, alone, have, kill};
use scripts::{NGINX, POSTGRESQL, Program, REDIS};

/// A server in a container, which is called as it is, in a network namespace of this thread's.
struct Server {
    world: World,
    program: &'static Program,
    root: PathBuf,
    /// Where it is published.
    at: SocketAddr,
}

impl Server {
    /// Starts it and waits until it takes calls at this port. `None` where that can't be, after a line that says so.
    fn start(test: &str, program: &'static Program, port: u16, flags: &[&str]) -> Option<Server> {
        if !have(test, &["passt", "ip", "chroot"]) || !alone(test) {
            return None;
        }
        let world = World::new(test)?;
        let root = program.root(test)?;
        let name = program.name;
        let published = format!("127.0.0.1:0:{port}");
        let flags = [&["-d", "--name", name, "-p", &published], flags].concat();
        let image = root.to_str().unwrap();
        let run = &mut world.run_as_docker(&flags, image, &["sh", "-c", program.script]);
        let outcome = Running::start(run, "").wait();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        let told = world.bulkhead(&["port", name, &port.to_string()], "").stdout;
        let at: SocketAddr = told.trim_end().parse().unwrap();
        assert!(at.ip() == Ipv4Addr::LOCALHOST && at.port() != 0, "{at}");
        let server = Server { world, program, root, at };
        server.wait_for_life(1);
        Some(server)
    }

    /// Waits until it takes calls in its life of this number.
    #[track_caller]
    fn wait_for_life(&self, number: usize) {
        self.program.wait_for_life(&self.world, self.program.name, number);
    }

    fn on(&self, arguments: &[&str]) -> Outcome {
        self.world.bulkhead(&[arguments, &[self.program.name]].concat(), "")
    }

    /// Ends it and starts it anew: the first is left to the server, however long it takes.
    #[track_caller]
    fn restart(&self) {
        self.on(&["restart", "-t", "600"]).assert(0, &format!("{}\n", self.program.name), "");
        self.assert_lives_again();
    }

    /// In its second life it is published where it was.
    #[track_caller]
    fn assert_lives_again(&self) {
        self.wait_for_life(2);
        let told = self.on(&["port"]).stdout;
        assert!(told.ends_with(&format!(" -> {}\n", self.at)), "{told}");
    }

    /// A client's work, a program of the server's root file system.
    fn client(&self, words: &[&str], input: &str) -> Outcome {
        let mut command = self.world.command("chroot");
        command.arg(&self.root).args(words).env("PGPASSWORD", "right");
        Running::start(&mut command, input).wait()
    }

    /// Ends it, in order; nothing is left, and its port is free.
    #[track_caller]
    fn end(self) {
        let name = format!("{}\n", self.program.name);
        self.on(&["stop", "-t", "600"]).assert(0, &name, "");
        self.on(&["inspect", "-f", "{{.State.ExitCode}}"]).assert(0, "0\n", "");
        self.on(&["rm"]).assert(0, &name, "");
        drop(TcpListener::bind(self.at).unwrap());
        self.world.assert_nothing_left();
    }
}

/// An answer's head and its body.
#[track_caller]
fn get(at: SocketAddr, page: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {page} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn nginx_serves_what_it_has() {
    let flags = ["--stop-signal", "QUIT"];
    let Some(server) = Server::start("nginx_serves_what_it_has", &NGINX, 80, &flags) else {
        return;
    };
    let at = server.at;
    let (head, page) = get(at, "/");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nServer: nginx/"), "{head}");
    assert_eq!(page.len(), "6ba7b810-9dad-41d1-80b4-00c04fd430c8\n".len());
    assert!(get(at, "/missing").0.starts_with("HTTP/1.1 404 "));
    let program = fs::read(server.root.join("usr/sbin/nginx")).unwrap();
    let clients = [(); 4].map(|()| thread::spawn(move || get(at, "/program").1));
    for client in clients {
        assert!(client.join().unwrap() == program, "not all of it came, or not as it was");
    }
    let logged = format!("\"GET /program HTTP/1.0\" 200 {} ", program.len());
    let logs = server.on(&["logs"]).stdout;
    assert_eq!(logs.matches(&logged).count(), 4, "{logs}");

    server.restart();
    assert_eq!(get(at, "/").1, page);
    server.end();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn redis_keeps_what_it_is_told() {
    let Some(server) = Server::start("redis_keeps_what_it_is_told", &REDIS, 6379, &[]) else {
        return;
    };
    let port = server.at.port().to_string();
    let cli = ["redis-cli", "-h", "127.0.0.1", "-p", &port];
    let tell = "SET greeting hello\nGET greeting\nINCR calls\nINCR calls\n";
    server.client(&cli, tell).assert(0, "OK\nhello\n1\n2\n", "");
    let large = "0123456789abcdef".repeat(1 << 16);
    server.client(&[&cli[..], &["-x", "SET", "large"]].concat(), &large).assert(0, "OK\n", "");
    // Fifty clients at once, of whose calls none is lost and none made twice.
    let benchmark = ["redis-benchmark", "-h", "127.0.0.1", "-p", &port];
    let calls = ["-c", "50", "-n", "500", "-q", "INCR", "benchmark"];
    let outcome = server.client(&[&benchmark[..], &calls].concat(), "");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let ask = "GET greeting\nGET benchmark\nINCR calls\n";
    server.client(&cli, ask).assert(0, "hello\n500\n3\n", "");

    server.restart();
    server.client(&cli, ask).assert(0, "hello\n500\n4\n", "");
    let outcome = server.client(&cli, "GET large\n");
    assert!(outcome.stdout.trim_end() == large, "{} bytes came back", outcome.stdout.len());
    server.end();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn postgresql_keeps_what_it_has_committed() {
    let flags = ["--memory", "512M", "--stop-signal", "INT", "-e", "PASSWORD=right"];
    let test = "postgresql_keeps_what_it_has_committed";
    let Some(server) = Server::start(test, &POSTGRESQL, 5432, &flags) else { return };
    let port = server.at.port().to_string();
    let psql = ["/usr/lib/postgresql/15/bin/psql", "-h", "127.0.0.1", "-p", &port];
    let psql = [&psql[..], &["-U", "postgres", "-AtqX", "-v", "ON_ERROR_STOP=1"]].concat();
    let rows: String =
        (1..=5000).map(|n| format!("{n}\t{}\n", format!("row {n} ").repeat(10))).collect();
    let fill =
        format!("create table t (n int primary key, words text);\ncopy t from stdin;\n{rows}\\.\n");
    let read = "select sum(n) from t; copy (select * from t order by n) to stdout;";
    let expected = format!("12502500\n{rows}");
    let assert_kept = || {
        let outcome = server.client(&psql, read);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert!(outcome.stdout == expected, "{} bytes came back", outcome.stdout.len());
    };
    server.client(&psql, &fill).assert(0, "", "");
    assert_kept();
    let wrong = [&["env", "PGPASSWORD=wrong"], &psql[..]].concat();
    let outcome = server.client(&wrong, read);
    assert!(outcome.status == 2 && outcome.stdout.is_empty(), "{outcome:?}");
    assert!(outcome.stderr.contains("password authentication failed"), "{outcome:?}");

    // What it has committed it has written: its VM may be killed at any time.
    kill(server.world.process("bulkhead-vmm"));
    server.on(&["wait"]).assert(0, "137\n", "");
    server.on(&["start"]).assert(0, "postgresql\n", "");
    server.assert_lives_again();
    assert_kept();
    server.end();
}

/// What Debian's programs ask for names is glibc: over TCP for both kinds of addresses in one packet.
#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_long_name_that_a_rule_has_is_found() {
    let test = "a_long_name_that_a_rule_has_is_found";
    if !have(test, &["passt", "ip"]) || !alone(test) {
        return;
    }
    let (Some(world), Some(root)) = (World::new(test), POSTGRESQL.root(test)) else { return };
    resolver::resolver("127.0.0.1:53", NOT_LOOPBACK.parse().unwrap());
    // It hangs up on whoever calls.
    let listener = TcpListener::bind((NOT_LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    let flags = ["--network", "user:host-loopback", "--dns", "10.0.2.2", "--egress", "long.test"];
    let psql = "/usr/lib/postgresql/15/bin/psql";
    let call = |name: &str| {
        let words = [psql, "-h", name, "-p", &port.to_string(), "-U", "postgres"];
        let run = &mut world.run(&flags, root.to_str().unwrap(), &words);
        let outcome = Running::start(run, "").wait();
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{outcome:?}");
        outcome.stderr
    };
    let said = call("long.test");
    let found =
        format!("server at \"long.test\" ({NOT_LOOPBACK}), port {port} failed: server closed");
    assert!(said.contains(&found), "{said}");
    let said = call("long.other");
    assert!(said.contains("could not translate host name \"long.other\" to address"), "{said}");
    world.assert_nothing_left();
}
