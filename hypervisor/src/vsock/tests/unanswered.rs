//! A guest that does not answer the host's programs.

use super::*;

#[test]
fn a_program_that_leaves_before_the_answer_is_noticed() {
    let mut bench = Bench::new();
    let mut program = UnixStream::connect(bench.path("")).unwrap();
    program.write_all(b"CONNECT 52\n").unwrap();
    assert_eq!(bench.receive().2, REQUEST);
    // One that writes no more may still wait for what the guest says.
    program.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(!bench.is_ready(NOW));
    drop(program);
    assert!(bench.is_ready(NOW));
    assert_eq!(bench.receive(), (1 << 30, 52, RST, vec![]));
}

#[test]
fn a_program_that_stays_is_sent_away_after_a_while() {
    let mut bench = Bench::new();
    let mut program = UnixStream::connect(bench.path("")).unwrap();
    program.write_all(b"CONNECT 52\n").unwrap();
    assert_eq!(bench.receive().2, REQUEST);
    for _ in 0..devices::limits::MAX_REQUEST_TICKS {
        assert!(bench.is_ready(NEVER), "the timer runs as long as a program waits");
        bench.work();
    }
    assert_eq!(bench.receive(), (1 << 30, 52, RST, vec![]));
    assert_eq!(program.read(&mut [0; 9]).unwrap(), 0);
    assert!(!bench.is_ready(NOW));
}
