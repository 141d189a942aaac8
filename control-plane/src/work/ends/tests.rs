//! What the ends of texts say of a number, and when they say nothing.

use muster_domain::error::SendError;
use muster_domain::status::State;

use super::*;
use crate::store::transitions::Owner;

const NUMBER: Uuid = Uuid::from_u128(1);
const MINUTE_US: i64 = 60_000_000;

fn moved(from: Status, to: Status, class: Option<ErrorClass>) -> Transition {
    let error = class.map(|class| SendError { class, code: "code".to_owned() });
    Transition {
        message: Uuid::nil(),
        owner: Owner { tenant: Uuid::nil(), campaign: Uuid::nil() },
        number: NUMBER,
        from: Some(State { status: from, ..State::CREATED }),
        since: None,
        to: State { status: to, attempt: 1, error },
        time: Micros(0),
        cause: "test".into(),
        provider_message_id: String::new(),
    }
}

/// The ends of one number, and how it did when it was last judged.
struct Story {
    ends: Ends,
    condition: Condition,
    now: Micros,
}

impl Story {
    fn begin() -> Self {
        Self { ends: Ends::default(), condition: Condition::Well, now: Micros(1_000 * MINUTE_US) }
    }

    fn delivered(&mut self, texts: usize) {
        self.learn(&vec![moved(Status::Sent, Status::Delivered, None); texts]);
    }

    fn lost(&mut self, class: ErrorClass, texts: usize) {
        self.learn(&vec![moved(Status::Sent, Status::Undelivered, Some(class)); texts]);
    }

    fn learn(&mut self, transitions: &[Transition]) {
        self.ends.learn(transitions, self.now);
    }

    /// What is said of the number now; where anything is, it is so from now on.
    fn judged(&mut self) -> Option<Condition> {
        let before = self.condition;
        let said = self.ends.signs(|_| before, self.now).first().and_then(|sign| sign.condition);
        self.condition = said.unwrap_or(before);
        said
    }
}

#[test]
fn little_says_nothing_and_one_in_five_of_enough_is_poor() {
    let mut story = Story::begin();
    assert_eq!(story.judged(), None);
    story.delivered(15);
    story.lost(ErrorClass::Blocked, 4);
    assert_eq!(story.judged(), None);
    story.delivered(2);
    assert_eq!(story.judged(), Some(Condition::Well), "4 of 21");
    story.lost(ErrorClass::Content, 1);
    assert_eq!(story.judged(), Some(Condition::Poor), "5 of 22");
    story.delivered(28);
    assert_eq!(story.judged(), Some(Condition::Poor), "5 of 50: not well yet");
    story.delivered(1);
    assert_eq!(story.judged(), Some(Condition::Well), "5 of 51");
}

#[test]
fn what_is_not_the_numbers_fault_says_nothing_against_it() {
    let mut story = Story::begin();
    for class in ErrorClass::ALL {
        if !is_fault(class) {
            story.lost(class, 10);
        }
    }
    assert_eq!(story.judged(), Some(Condition::Well));
}

#[test]
fn ends_count_for_ten_minutes() {
    let mut story = Story::begin();
    story.lost(ErrorClass::Unknown, 20);
    assert_eq!(story.judged(), Some(Condition::Poor));
    story.now.0 += 9 * MINUTE_US;
    story.delivered(1);
    assert_eq!(story.judged(), Some(Condition::Poor));
    story.now.0 += MINUTE_US;
    let before = story.condition;
    let signs = story.ends.signs(|_| before, story.now);
    assert_eq!(signs.first().map(|sign| (sign.counts.delivered, sign.counts.undelivered())), Some((1, 0)));
    story.now.0 += 9 * MINUTE_US;
    assert!(story.ends.signs(|_| before, story.now).is_empty(), "a number without texts is forgotten");
}

#[test]
fn three_in_a_row_make_a_number_refused_and_well_again() {
    let mut story = Story::begin();
    story.lost(ErrorClass::SenderNumber, 2);
    story.delivered(1);
    story.lost(ErrorClass::Registration, 2);
    assert_eq!(story.judged(), None, "not three in a row");
    story.lost(ErrorClass::InvalidRecipient, 1);
    story.lost(ErrorClass::SenderNumber, 1);
    assert_eq!(story.judged(), Some(Condition::Refused));
    story.delivered(2);
    assert_eq!(story.judged(), None);
    story.lost(ErrorClass::SenderNumber, 1);
    story.delivered(2);
    assert_eq!(story.judged(), None);
    story.delivered(1);
    assert_eq!(story.judged(), Some(Condition::Well));
}

#[test]
fn a_text_ends_once() {
    let mut story = Story::begin();
    story.learn(&[
        moved(Status::Claimed, Status::Sent, None),
        moved(Status::Sent, Status::Undelivered, Some(ErrorClass::Blocked)),
        moved(Status::Undelivered, Status::Delivered, None),
        moved(Status::Claimed, Status::Failed, Some(ErrorClass::Blocked)),
    ]);
    let signs = story.ends.signs(|_| Condition::Well, story.now);
    let [sign] = &signs[..] else { panic!("{signs:?}") };
    assert_eq!((sign.counts.delivered, sign.counts.undelivered()), (0, 2));
    assert_eq!(sign.counts.error(), Some(ErrorClass::Blocked));
    assert!(sign.fresh && !story.ends.signs(|_| Condition::Well, story.now)[0].fresh);
}
