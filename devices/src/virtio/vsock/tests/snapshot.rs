//! What a snapshot keeps, and what it ends.

use proptest::prelude::*;

use super::*;
use crate::Device;

#[test]
fn open_connections_end_with_a_snapshot_and_the_driver_is_told() {
    let mut bench = Bench::ordinary();
    assert!(!bench.vsock.save().transport_reset);
    bench.connected(1);
    let state = bench.vsock.save();
    assert!(state.transport_reset);
    let mut restored = Vsock::new(CID, bench.host.clone());
    restored.restore(&state).unwrap();
    assert_eq!(restored.save(), state);
    bench.vsock = restored;
    bench.settle();
    assert!(bench.vsock.save().transport_reset, "no event buffer yet");
    bench.guest.event.offer(&bench.guest.mem, &[0xff; 8]);
    bench.settle();
    assert_eq!(bench.guest.event.take(&bench.guest.mem).unwrap(), [0; 4]);
    assert!(!bench.vsock.save().transport_reset);
    bench.connected(2);

    let forged = crate::virtio::vsock::VsockState { next_host_port: 80, ..state };
    assert!(bench.vsock.restore(&forged).is_err());
}

/// What a guest may do to a device without opening a connection.
fn harmless() -> impl Strategy<Value = (u16, u32, bool)> {
    (0..9u16, 0..4u32, any::<bool>())
}

proptest! {
    #[test]
    fn a_snapshot_without_connections_changes_no_answer(
        steps in prop::collection::vec(harmless(), 1..20),
        snapshot in 0..20usize,
    ) {
        let (mut plain, mut saved) = (Bench::ordinary(), Bench::ordinary());
        for (index, (op, port, from_host)) in steps.into_iter().enumerate() {
            if index == snapshot {
                let state = serde_json::to_string(&saved.vsock.save()).unwrap();
                saved.vsock = Vsock::new(CID, saved.host.clone());
                saved.vsock.restore(&serde_json::from_str(&state).unwrap()).unwrap();
            }
            let answers = [&mut plain, &mut saved].map(|bench| {
                bench.guest.accepts = false;
                bench.host.world().refuses = |_| true;
                let id = from_host.then(|| {
                    let end = bench.host.open();
                    bench.vsock.host_connected(end, port)
                });
                let id_of_packet = ConnectionId { host_port: port, guest_port: 1 };
                let header = bench.guest.header(id_of_packet, op);
                bench.guest.outbox.push_back((header, Vec::new()));
                bench.settle();
                let mut config = [0xff; 12];
                bench.vsock.read_config(port.into(), &mut config);
                (id, config, std::mem::take(&mut bench.guest.strays))
            });
            prop_assert_eq!(&answers[0], &answers[1]);
        }
    }
}
