//! What the threads of a process do, for a person who has to find out why it does not end.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use rustix::process::Pid;

/// Of each thread its name and state, and where in the kernel it is, with the calls that led there as far as root may see
/// them (proc_pid_stat(5), proc_pid_wchan(5), proc_pid_syscall(5), proc_pid_stack(5)).
pub fn describe(process: Pid) -> String {
    let folder = format!("/proc/{}/task", process.as_raw_nonzero());
    let mut text = String::new();
    for thread in fs::read_dir(folder).into_iter().flatten().flatten() {
        describe_thread(&thread.path(), &mut text);
    }
    text
}

fn describe_thread(folder: &Path, text: &mut String) {
    let read = |name: &str| match fs::read_to_string(folder.join(name)) {
        Ok(content) => content.trim_end().to_owned(),
        Err(error) => format!("({error})"),
    };
    let stat = read("stat");
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or("?");
    // Nothing can go wrong in writing to a string.
    let _ = writeln!(
        text,
        "  {}: state {state}, in {}, system call {}, ran and waited {} (ns, ns, times)",
        read("comm"),
        read("wchan"),
        read("syscall"),
        read("schedstat"),
    );
    for call in read("stack").lines() {
        let _ = writeln!(text, "    {call}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_line() {
        let name = "soak-test-thread";
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name(name.into());
        let thread = thread.spawn(move || receiver.recv()).unwrap();
        // Its name comes with its first step.
        while !describe(rustix::process::getpid()).contains(&name[..15]) {
            std::thread::yield_now();
        }
        drop(sender);
        assert!(thread.join().unwrap().is_err());
    }
}
