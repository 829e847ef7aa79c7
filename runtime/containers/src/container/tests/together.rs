//! Several commands at once.

use std::sync::Barrier;
use std::thread;

use super::sample::draft;
use crate::container::{ContainerError, State, Status};

const THREADS: usize = 8;

/// What each of the threads says, all begun at once.
fn at_once<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        let (barrier, work) = (&barrier, &work);
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn one_of_many_gets_the_name() {
    let (_work, containers) = super::containers();
    for round in 0..10 {
        let name = format!("round{round}");
        let made = at_once(|_| containers.create(draft(&name)).is_ok());
        assert_eq!(made.iter().filter(|made| **made).count(), 1);
    }
    assert_eq!(containers.list().unwrap().len(), 10);
}

#[test]
fn one_of_many_gets_to_run_it_also_while_others_look() {
    let (_work, containers) = super::containers();
    let container = containers.create(draft("web")).unwrap();
    for _ in 0..20 {
        // Each is left behind by one that was killed, so who looks puts it right.
        let running = State { status: Status::Running, ..State::default() };
        container.tenure().unwrap().set(&running).unwrap();
        let tenures = at_once(|number| match number % 2 {
            0 => container.tenure().ok(),
            _ => {
                container.state().unwrap();
                None
            }
        });
        assert_eq!(tenures.iter().flatten().count(), 1);
    }
}

#[test]
fn changes_at_once_leave_a_whole_container_or_none() {
    let (_work, containers) = super::containers();
    for _ in 0..10 {
        let container = containers.create(draft("web")).unwrap();
        at_once(|number| {
            let own = container.clone();
            for round in 0..10 {
                let result = match number {
                    0 if round == 9 => {
                        own.tenure().and_then(|tenure| containers.remove(&own, tenure))
                    }
                    0..3 => containers.rename(&own, &format!("name{number}-{round}")),
                    3..5 => own.tenure().and_then(|mut tenure| {
                        tenure.set(&State { status: Status::Running, ..State::default() })
                    }),
                    5 => own.state().map(drop),
                    6 => containers.find(own.id().as_str()).map(drop),
                    _ => containers.list().map(drop),
                };
                match result {
                    Ok(()) | Err(ContainerError::NotFound(_) | ContainerError::Running(_)) => {}
                    Err(error) => panic!("{number}: {error}"),
                }
            }
        });
        let left = containers.list().unwrap();
        for container in left {
            container.state().unwrap();
            containers.remove(&container, container.tenure().unwrap()).unwrap();
        }
    }
}
