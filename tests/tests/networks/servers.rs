//! Debian's servers, which other containers use by name. The clients are Debian's too.

use std::path::Path;
use std::process::Command;

use bulkhead_tests::Running;

use crate::place::Place;
use crate::scripts::{NGINX, POSTGRESQL, Program, REDIS};

/// A server in the background, which others on the network know by this name.
#[track_caller]
fn start(place: &Place, program: &Program, root: &Path, name: &str, flags: &[&str]) {
    let flags = [&["-d", "--name", name, "--network", "Shop.1"], flags].concat();
    let command = ["sh", "-c", program.script];
    let run = &mut place.world.run_as_docker(&flags, root.to_str().unwrap(), &command);
    let outcome = Running::start(run, "").wait();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
}

/// The digest of a file, by the host's program.
fn digest(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout[..64].to_vec()).unwrap()
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn one_container_uses_anothers_nginx_redis_and_postgresql_by_name() {
    let test = "one_container_uses_anothers_nginx_redis_and_postgresql_by_name";
    let Some(place) = Place::new(test) else { return };
    let Some(nginx) = NGINX.root(test) else { return };
    let Some(redis) = REDIS.root(test) else { return };
    let Some(postgresql) = POSTGRESQL.root(test) else { return };
    place.says(&["network", "create", "Shop.1"]);
    let cluster = ["--memory", "512M", "-e", "PASSWORD=right"];
    start(&place, &POSTGRESQL, &postgresql, "Db", &cluster);
    start(&place, &NGINX, &nginx, "web", &["--memory", "128M"]);
    start(&place, &REDIS, &redis, "cache.local", &["--memory", "128M"]);
    let client = |flags: &[&str], image: &Path, command: &[&str], input: &str| {
        let flags = [&["--network", "Shop.1"], flags].concat();
        let run = &mut place.world.run(&flags, image.to_str().unwrap(), command);
        Running::start(run, input).wait()
    };

    NGINX.wait_for_life(&place.world, "web", 1);
    let script = "busybox wget -q -O - http://web/program | sha256sum";
    let program = format!("{}  -\n", digest(&nginx.join("usr/sbin/nginx")));
    client(&[], Path::new("image"), &["sh", "-c", script], "").assert(0, &program, "");

    REDIS.wait_for_life(&place.world, "cache.local", 1);
    let tell = "SET greeting hello\nGET greeting\nINCR calls\nINCR calls\n";
    let cli = ["redis-cli", "-h", "cache.local"];
    client(&["--memory", "128M"], &redis, &cli, tell).assert(0, "OK\nhello\n1\n2\n", "");

    POSTGRESQL.wait_for_life(&place.world, "Db", 1);
    let rows: String = (1..=5000).map(|n| format!("{n}\t{}\n", "row ".repeat(20))).collect();
    let tell = format!(
        "create table t (n int primary key, words text);\ncopy t from stdin;\n{rows}\\.\n
         select sum(n), sum(length(words)) from t;"
    );
    let psql = "/usr/lib/postgresql/15/bin/psql";
    let psql = [psql, "-h", "db", "-U", "postgres", "-AtqX", "-v", "ON_ERROR_STOP=1"];
    let password = ["-e", "PGPASSWORD=right"];
    client(&password, &postgresql, &psql, &tell).assert(0, "12502500|400000\n", "");

    for name in ["web", "cache.local", "Db"] {
        place.says(&["rm", "-f", name]);
    }
    place.says(&["network", "rm", "Shop.1"]);
    place.assert_nothing_left();
}
