//! Debian's servers: where they are, and how each is started.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use bulkhead_tests::{Running, World, skip};

/// A folder of root file systems with servers of Debian's, made by `cargo xtask test`.
const SERVERS: &str = "BULKHEAD_SERVERS";

/// One of them.
pub struct Program {
    /// Its root file system's.
    pub name: &'static str,
    /// What it says once in each life, when it takes calls.
    pub ready: &'static str,
    /// What starts it.
    pub script: &'static str,
}

/// What the package's scripts would do, and what docker's image does so that its logs are the container's.
pub const NGINX: Program = Program {
    name: "nginx",
    ready: "using the \"epoll\" event method",
    script: "
    set -e; exec 2>&1
    if [ ! -e /var/www/html ]; then
        ln -s ../sites-available/default /etc/nginx/sites-enabled/default
        mkdir -p /var/www/html
        cp /usr/sbin/nginx /var/www/html/program
        cat /proc/sys/kernel/random/uuid > /var/www/html/index.html
        ln -s /dev/stdout /var/log/nginx/access.log
        ln -s /dev/stderr /var/log/nginx/error.log
    fi
    exec nginx -g 'daemon off; error_log /dev/stderr notice;'",
};

/// It keeps its data at a SIGTERM, as its configuration has it.
pub const REDIS: Program = Program {
    name: "redis",
    ready: "Ready to accept connections",
    script: "
    set -e; exec 2>&1
    mkdir -p /run/redis /var/lib/redis
    exec redis-server /etc/redis/redis.conf --bind '*' --protected-mode no --daemonize no --logfile ''",
};

/// As docker's image does it: root makes the user, the user the cluster, which is open to who knows the password. What it writes
/// at once is synchronized at once: a thousand files one by one take an emulated processor ten seconds.
pub const POSTGRESQL: Program = Program {
    name: "postgresql",
    ready: "database system is ready to accept connections",
    script: r#"
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
    exec $as_user postgres -c 'listen_addresses=*' -c recovery_init_sync_method=syncfs"#,
};

impl Program {
    /// Its root file system. `None` where there is none, after a line that says so.
    pub fn root(&self, test: &str) -> Option<PathBuf> {
        let folder = std::env::var_os(SERVERS).map(|folder| Path::new(&folder).join(self.name));
        let root = folder.filter(|folder| folder.is_dir());
        if root.is_none() {
            skip(test, "no servers of a distribution: `cargo xtask test` downloads them");
        }
        root
    }

    /// Waits until it takes calls in the life of this number of the container that is called so.
    #[track_caller]
    pub fn wait_for_life(&self, world: &World, container: &str, number: usize) {
        let mut command = world.command("bulkhead");
        let mut logs = Running::start(command.args(["logs", "-f", container]), "");
        let lines = BufReader::new(logs.stdout()).lines().map_while(Result::ok);
        let lives = lines.filter(|line| line.contains(self.ready)).take(number).count();
        let said = || world.bulkhead(&["logs", container], "").stdout;
        assert_eq!(lives, number, "it ended: {}", said());
    }
}
