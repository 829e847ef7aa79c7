use protocol::{ToGuest, ToHost};

use super::super::testing::Container;
use super::*;

#[test]
fn nothing_begins_in_a_container_that_is_being_paused() {
    let mut container = Container::new();
    let pause = container.begin_to_pause();
    assert!(matches!(container.lifecycle.running(), Err(SupervisorError::Paused)));
    assert!(matches!(container.lifecycle.pause(), Err(SupervisorError::Paused)));
    assert!(!container.vmm_is_stopped());
    container.send(&ToHost::Frozen);
    pause.join().unwrap().unwrap();
    container.vmm_stops();
    assert!(matches!(container.lifecycle.running(), Err(SupervisorError::Paused)));
    let unpause = container.begin(Lifecycle::unpause);
    assert!(matches!(container.receive(), ToGuest::Thaw { .. }));
    assert!(!container.vmm_is_stopped());
    container.send(&ToHost::Thawed);
    unpause.join().unwrap().unwrap();
    assert!(container.lifecycle.running().is_ok());
    assert!(matches!(container.lifecycle.unpause(), Err(SupervisorError::NotPaused)));
}

#[test]
fn an_unpause_comes_after_the_pause_that_is_under_way() {
    let mut container = Container::new();
    let pause = container.begin_to_pause();
    let unpause = container.begin(Lifecycle::unpause);
    container.send(&ToHost::Frozen);
    pause.join().unwrap().unwrap();
    assert!(matches!(container.receive(), ToGuest::Thaw { .. }));
    container.send(&ToHost::Thawed);
    unpause.join().unwrap().unwrap();
    assert!(container.lifecycle.running().is_ok());
}

#[test]
fn a_container_whose_guest_can_t_freeze_it_runs_on() {
    let mut container = Container::new();
    let pause = container.begin_to_pause();
    container.send(&ToHost::Failed { message: "freeze the container: timed out".into() });
    assert!(pause.join().unwrap().unwrap_err().to_string().contains("timed out"));
    assert!(container.lifecycle.running().is_ok() && !container.vmm_is_stopped());
}

#[test]
fn what_ends_a_container_ends_its_pause() {
    let mut container = Container::new();
    let pause = container.begin_to_pause();
    container.lifecycle.signal(15, true).unwrap();
    // In either order: nobody waits for the first.
    let heard = [container.receive(), container.receive()];
    assert!(heard.iter().any(|message| matches!(message, ToGuest::Thaw { .. })), "{heard:?}");
    assert!(heard.contains(&ToGuest::Signal { process: 0, number: 15 }), "{heard:?}");
    container.send(&ToHost::Frozen);
    container.send(&ToHost::Thawed);
    assert!(matches!(pause.join().unwrap(), Err(SupervisorError::NotRunning)));
    assert!(!container.vmm_is_stopped());
}

#[test]
fn a_container_that_is_not_up_yet_is_not_paused() {
    let container = Container::new();
    container.lifecycle.record(|state| state.status = Status::Created).unwrap();
    assert!(matches!(container.lifecycle.pause(), Err(SupervisorError::NotRunning)));
}
