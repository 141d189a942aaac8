use proptest::prelude::*;

use super::*;

fn frame(sequence: u64) -> Arc<Frame> {
    Arc::new(Frame::of(sequence, 0, Vec::new()))
}

fn size() -> usize {
    frame(1).bytes()
}

/// One step of two tenants' story.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many sequences later a frame comes.
    Push(usize, u64),
    /// Nothing comes for so many sequences.
    Pass(usize, u64),
    /// The watcher takes so many frames.
    Walk(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2usize, 1..4u64).prop_map(|(tenant, later)| Step::Push(tenant, later)),
        1 => (0..2usize, 1..4u64).prop_map(|(tenant, later)| Step::Pass(tenant, later)),
        2 => (0..2usize, 1..6usize).prop_map(|(tenant, frames)| Step::Walk(tenant, frames)),
    ];
    proptest::collection::vec(step, 0..200)
}

/// A watcher: what is held is walked, and what was let go of is read from what was kept of everything.
#[derive(Default)]
struct Watcher {
    place: u64,
    seen: Vec<u64>,
    fallen: usize,
}

proptest! {
    #[test]
    fn whatever_comes_each_watcher_sees_every_frame_once_and_in_order(steps in steps(), held in 1..20usize) {
        let mut rings = Rings::new(held * size());
        let ids = [rings.open(0), rings.open(0)];
        let (mut told, mut watchers) = ([Vec::new(), Vec::new()], [Watcher::default(), Watcher::default()]);
        let mut last = 0;
        let walk = |rings: &Rings, told: &[Vec<u64>; 2], watcher: &mut Watcher, tenant: usize| {
            match rings.after(ids[tenant], watcher.place) {
                Next::Frame(frame) => {
                    watcher.seen.push(frame.sequence);
                    watcher.place = frame.sequence;
                    true
                }
                Next::Nothing(end) => {
                    watcher.place = watcher.place.max(end);
                    false
                }
                // It catches up one frame after the other, until it meets what is held.
                Next::Before => {
                    watcher.fallen += 1;
                    let next = told[tenant].iter().find(|sequence| **sequence > watcher.place);
                    let next = *next.expect("what was let go of was told");
                    watcher.seen.push(next);
                    watcher.place = next;
                    true
                }
            }
        };
        for step in steps {
            match step {
                Step::Push(tenant, later) => {
                    last += later;
                    told[tenant].push(last);
                    rings.push(ids[tenant], frame(last));
                }
                Step::Pass(tenant, later) => {
                    last += later;
                    rings.pass(ids[tenant], last);
                }
                Step::Walk(tenant, frames) => {
                    for _ in 0..frames {
                        walk(&rings, &told, &mut watchers[tenant], tenant);
                    }
                }
            }
            let frames: usize = rings.rings.values().map(|ring| ring.frames.len()).sum();
            prop_assert!(rings.bytes <= held * size() && rings.bytes == frames * size());
        }
        for (tenant, watcher) in watchers.iter_mut().enumerate() {
            while walk(&rings, &told, watcher, tenant) {}
            prop_assert_eq!(&watcher.seen, &told[tenant]);
        }
    }
}

#[test]
fn the_tenant_with_the_most_lets_go_first() {
    let mut rings = Rings::new(10 * size());
    let (quiet, busy) = (rings.open(0), rings.open(0));
    rings.push(quiet, frame(1));
    (2..100).for_each(|sequence| rings.push(busy, frame(sequence)));
    assert!(matches!(rings.after(quiet, 0), Next::Frame(frame) if frame.sequence == 1));
    assert!(matches!(rings.after(busy, 0), Next::Before));
    assert!(matches!(rings.after(busy, 90), Next::Frame(frame) if frame.sequence == 91));
    rings.close(busy);
    assert_eq!(rings.bytes, size());
    assert!(matches!(rings.after(busy, 99), Next::Before));
}

#[test]
fn what_has_not_come_is_not_held() {
    let mut rings = Rings::new(10 * size());
    let id = rings.open(5);
    assert!(!rings.holds(id, 4) && rings.holds(id, 5) && !rings.holds(id, 6));
    rings.pass(id, 9);
    assert!(rings.holds(id, 9) && matches!(rings.after(id, 5), Next::Nothing(9)));
    assert_eq!(rings.end(id), Some(9));
}
