//! What a gate lets through, and what is told of it.

use super::*;

fn gate(calls_max: usize) -> Gate {
    Gate::new(Arc::new(Shared::new(calls_max)))
}

#[tokio::test]
async fn permits_follow_the_limit_while_calls_are_open() {
    let gate = gate(64);
    let mut room = gate.room(32).await.expect("room");
    assert_eq!((room.calls(), gate.room.available_permits()), (32, 0));
    // Lost: half of the calls are too many by now, and their room ends with them.
    gate.done(Went::Lost, Duration::from_millis(10));
    drop(room.split());
    assert_eq!((gate.room.available_permits(), gate.state().surplus), (0, 15));
    for _ in 0..15 {
        gate.done(Went::Lost, Duration::from_secs(100));
        drop(room.split());
    }
    drop(room);
    let state = gate.state();
    assert_eq!(state.surplus, 0);
    assert_eq!((state.permits, gate.room.available_permits()), (state.limit.calls(), state.permits));
}

#[tokio::test]
async fn as_much_room_is_given_as_there_is() {
    let gate = gate(3);
    let first = gate.room(2).await.expect("room");
    let second = gate.room(9).await.expect("room");
    assert_eq!((first.calls(), second.calls()), (2, 1));
    drop(first);
    assert_eq!(gate.room(9).await.expect("room").calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn room_for_several_calls_is_gathered_and_not_waited_for_too_long() {
    let gate = gate(16);
    let mut held = gate.room(16).await.expect("room");
    let end_four = async {
        for _ in 0..4 {
            tokio::time::sleep(GATHER / 8).await;
            drop(held.split());
        }
    };
    let (room, ()) = tokio::join!(gate.room(16), end_four);
    let room = room.expect("room");
    assert_eq!(room.calls(), 4, "a quarter of the limit");
    let end_one = async {
        tokio::time::sleep(GATHER / 8).await;
        drop(held.split());
    };
    let (last, ()) = tokio::join!(gate.room(16), end_one);
    assert_eq!(last.expect("room").calls(), 1, "what there is after a moment");
}

#[tokio::test]
async fn whoever_waits_is_let_through_when_the_circuit_opens() {
    let gate = gate(1);
    let _held = gate.room(1).await.expect("room");
    let opens = async {
        while gate.open_for().is_none() {
            gate.done(Went::Lost, Duration::from_millis(1));
        }
    };
    let (room, ()) = tokio::join!(gate.room(9), opens);
    let room = room.expect("let through");
    assert!((room.calls(), room.is_closed()) == (9, true), "what it lets through is not to be called");
    let later = gate.room(7).await.expect("let through");
    assert_eq!((later.calls(), later.is_closed()), (7, true));
}

/// Room of a gate and of the node, as the worker takes it.
async fn both<'a>(gates: &Gates, gate: &'a Gate, calls: usize) -> (Room<'a>, OwnedSemaphorePermit) {
    let room = gate.room(calls).await.expect("room");
    let node = gates.shared().take(room.calls()).await.expect("room");
    (room, node)
}

#[tokio::test(start_paused = true)]
async fn an_account_leaves_a_part_of_the_node_to_those_that_come_later() {
    let gates = Gates::new(32);
    let (slow, other) = (gates.of(Uuid::from_u128(1)), gates.of(Uuid::from_u128(2)));
    let (held, _node) = both(&gates, &slow, 32).await;
    assert_eq!(held.calls(), 24);
    let more = tokio::time::timeout(GATHER * 4, both(&gates, &slow, 32));
    assert!(more.await.is_err(), "it has all that it may have");
    let (room, _node) = both(&gates, &other, 32).await;
    assert_eq!(room.calls(), 6, "three quarters of what is left");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_had_all_of_the_node_gives_some_back_when_another_comes() {
    let gates = Gates::new(32);
    let slow = gates.of(Uuid::from_u128(1));
    let (mut held, mut node) = both(&gates, &slow, 32).await;
    assert_eq!(held.calls(), 32, "all of it while it is alone");
    let other = gates.of(Uuid::from_u128(2));
    for _ in 0..16 {
        slow.done(Went::Answered, Duration::from_millis(5));
        drop((held.split(), node.split(1)));
    }
    let (again, _node) = both(&gates, &slow, 32).await;
    assert_eq!(again.calls(), 8, "half of it is still open, and three quarters is all that it may have");
    let (room, _node) = both(&gates, &other, 32).await;
    assert_eq!(room.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_nobody_uses_is_not_told_of_but_for_its_open_circuit() {
    let gates = Gates::new(8);
    let (idle, open) = (gates.of(Uuid::from_u128(1)), gates.of(Uuid::from_u128(2)));
    while open.open_for().is_none() {
        open.done(Went::Lost, Duration::from_millis(1));
    }
    assert_eq!(gates.loads().len(), 2);
    tokio::time::advance(TOLD).await;
    let told: Vec<bool> = gates.loads().iter().map(|load| load.circuit_open).collect();
    assert_eq!(told, [true]);
    let _waiting = idle.waiting(0, 1);
    assert_eq!(gates.loads().len(), 2);
}

#[test]
fn what_waits_is_told() {
    let gates = Gates::new(8);
    let gate = gates.of(Uuid::nil());
    let told = || gates.loads().first().map(|load| (load.waiting, load.shard_frames));
    let mut waiting = gate.waiting(0, 5);
    waiting.less(2);
    let others = [gate.waiting(SHARDS - 1, 1), gate.waiting(SHARDS - 1, 1)];
    assert_eq!(told(), Some((5, 2)), "of the shard that has most");
    drop(others);
    assert_eq!(told(), Some((3, 1)));
    drop(waiting);
    assert_eq!(told(), Some((0, 0)));
}
