//! Debian's nginx, redis and PostgreSQL, each in a container that publishes its port: what clients on the host get of them, and
//! what is there again in the container's next life. The clients are Debian's too, and run in the server's own root file system.

#[path = "network/own.rs"]
mod own;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use bulkhead_tests::{Outcome, Running, World, have, kill, skip};
use own::alone;

/// A folder of root file systems with servers of Debian's, made by `cargo xtask test`.
const SERVERS: &str = "BULKHEAD_SERVERS";

/// Longer than a guest on an emulated processor takes for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the package's scripts would do, and what docker's image does so that its logs are the container's.
const NGINX: &str = "
    set -e; exec 2>&1
    if [ ! -e /var/www/html ]; then
        ln -s ../sites-available/default /etc/nginx/sites-enabled/default
        mkdir -p /var/www/html
        cp /usr/sbin/nginx /var/www/html/program
        cat /proc/sys/kernel/random/uuid > /var/www/html/index.html
        ln -s /dev/stdout /var/log/nginx/access.log
        ln -s /dev/stderr /var/log/nginx/error.log
    fi
    exec nginx -g 'daemon off; error_log /dev/stderr notice;'";

/// It keeps its data at a SIGTERM, as its configuration has it.
const REDIS: &str = "
    set -e; exec 2>&1
    mkdir -p /run/redis /var/lib/redis
    exec redis-server /etc/redis/redis.conf --bind '*' --protected-mode no --daemonize no --logfile ''";

/// As docker's image does it: root makes the user, the user the cluster, which is open to who knows the password. What it writes
/// at once is synchronized at once: a thousand files one by one take an emulated processor ten seconds.
const POSTGRESQL: &str = r#"
    set -e; exec 2>&1
    as_user="setpriv --reuid=101 --regid=101 --clear-groups env HOME=/"
    PATH=/usr/lib/postgresql/15/bin:$PATH
    export PGDATA=/var/lib/postgresql/data
    mkdir -p /var/run/postgresql
    chown 101:101 /var/run/postgresql
    if [ ! -e $PGDATA ]; then
        echo postgres:x:101:101::/var/lib/postgresql:/bin/sh >> /etc/passwd
        mkdir -p $PGDATA
        chown 101:101 $PGDATA
        echo "$PASSWORD" > /tmp/password
        $as_user initdb --username postgres --pwfile /tmp/password --auth scram-sha-256 --locale C --encoding UTF8 --no-sync
        echo host all all all scram-sha-256 >> $PGDATA/pg_hba.conf
        sync
    fi
    exec $as_user postgres -c 'listen_addresses=*' -c recovery_init_sync_method=syncfs"#;

/// A server in a container, which is called as it is, in a network namespace of this thread's.
struct Server {
    world: World,
    name: &'static str,
    root: PathBuf,
    /// Where it is published.
    at: SocketAddr,
    /// What it says once in each life, when it takes calls.
    ready: &'static str,
}

impl Server {
    /// Starts it by its script and waits until it takes calls at this port. `None` where that can't be, after a line that says
    /// so.
    fn start(
        test: &str,
        (name, port, ready): (&'static str, u16, &'static str),
        flags: &[&str],
        script: &str,
    ) -> Option<Server> {
        if !have(test, &["passt", "ip", "chroot"]) || !alone(test) {
            return None;
        }
        let world = World::new(test)?;
        let folder = std::env::var_os(SERVERS).map(|folder| Path::new(&folder).join(name));
        let Some(root) = folder.filter(|folder| folder.is_dir()) else {
            skip(test, "no servers of a distribution: `cargo xtask test` downloads them");
            return None;
        };
        let published = format!("127.0.0.1:0:{port}");
        let flags = [&["-d", "--name", name, "-p", &published], flags].concat();
        let image = root.to_str().unwrap();
        let run = &mut world.run_as_docker(&flags, image, &["sh", "-c", script]);
        let outcome = Running::start(run, "").wait();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        let told = world.bulkhead(&["port", name, &port.to_string()], "").stdout;
        let at: SocketAddr = told.trim_end().parse().unwrap();
        assert!(at.ip() == Ipv4Addr::LOCALHOST && at.port() != 0, "{at}");
        let server = Server { world, name, root, at, ready };
        server.wait_for_life(1);
        Some(server)
    }

    /// Waits until it takes calls in its life of this number.
    #[track_caller]
    fn wait_for_life(&self, number: usize) {
        let mut command = self.world.command("bulkhead");
        let mut logs = Running::start(command.args(["logs", "-f", self.name]), "");
        let lines = BufReader::new(logs.stdout()).lines().map_while(Result::ok);
        let lives = lines.filter(|line| line.contains(self.ready)).take(number).count();
        assert_eq!(lives, number, "it ended: {}", self.on(&["logs"]).stdout);
    }

    fn on(&self, arguments: &[&str]) -> Outcome {
        self.world.bulkhead(&[arguments, &[self.name]].concat(), "")
    }

    /// Ends it and starts it anew: the first is left to the server, however long it takes.
    #[track_caller]
    fn restart(&self) {
        self.on(&["restart", "-t", "600"]).assert(0, &format!("{}\n", self.name), "");
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
        let name = format!("{}\n", self.name);
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
    let what = ("nginx", 80, "using the \"epoll\" event method");
    let flags = ["--stop-signal", "QUIT"];
    let Some(server) = Server::start("nginx_serves_what_it_has", what, &flags, NGINX) else {
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
    let what = ("redis", 6379, "Ready to accept connections");
    let Some(server) = Server::start("redis_keeps_what_it_is_told", what, &[], REDIS) else {
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
    let what = ("postgresql", 5432, "database system is ready to accept connections");
    let flags = ["--memory", "512M", "--stop-signal", "INT", "-e", "PASSWORD=right"];
    let test = "postgresql_keeps_what_it_has_committed";
    let Some(server) = Server::start(test, what, &flags, POSTGRESQL) else { return };
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
