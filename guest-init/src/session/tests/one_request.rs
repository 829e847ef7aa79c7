//! A request that can't be carried out is the only thing that fails.

use super::*;

#[test]
fn real_time_signals_arrive_and_numbers_of_none_are_passed_over() {
    let host = Host::new(ProcessGroups::default());
    let mut streams = host.first("echo ready; exec sleep 1000");
    let mut line = [0; 6];
    streams.stdout.read_exact(&mut line).unwrap();
    // 65 is the first that there is not; a process that there is not minds none.
    for (process, number) in [(0, 65), (0, 255), (7, 37), (0, 37)] {
        write_message(&mut streams.control, &ToGuest::Signal { process, number }).unwrap();
    }
    assert_eq!(streams.exit_status(), ExitStatus::Signal(37));
}
