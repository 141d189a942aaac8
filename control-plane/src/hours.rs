//! The hours in which people may be texted: local ones, of every time zone that their area code is in.
//!
//! In the United States nobody is to be solicited before 8 in the morning or after 9 in the evening, by the clock of where
//! they are (47 CFR 64.1200(c)(1)). The platform's window says so for everybody; a tenant can only make its own narrower.

use std::sync::LazyLock;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use muster_domain::area;

use crate::db::Micros;

/// Minutes of a day.
pub(crate) const DAY: i16 = 24 * 60;
/// Area codes are below this.
const AREAS: usize = 1_000;
/// Looks for a moment that suits all zones of an area code, at most. Two zones agree at the second look; where a window is
/// too narrow for an area code's zones to agree at all, its people are not texted.
const LOOKS_MAX: usize = 8;

/// From when to when, in minutes after midnight: the first is in it, the last is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) open: i16,
    pub(crate) close: i16,
}

impl Window {
    /// At any time.
    pub(crate) const ALL_DAY: Self = Self { open: 0, close: DAY };

    /// The part of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { open: self.open.max(other.open), close: self.close.min(other.close) }
    }

    /// Whether `minute` is in it.
    fn has(self, minute: i16) -> bool {
        (self.open..self.close).contains(&minute)
    }
}

/// The clock's minute in each area code at one moment: the smallest and the largest of its zones. All of its zones are in
/// a window where both are.
pub(crate) struct Minutes {
    pub(crate) smallest: Vec<i16>,
    pub(crate) largest: Vec<i16>,
}

/// The zones of every area code.
struct Zones {
    zones: Vec<TimeZone>,
    /// For each area code, which of `zones` it is in.
    of_area: Vec<Vec<usize>>,
}

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let mut names: Vec<&str> = Vec::new();
    let mut of_area = Vec::with_capacity(AREAS);
    for code in 0..AREAS {
        let mut places = Vec::new();
        for name in area::zones(&format!("{code:03}")) {
            let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            places.push(place);
        }
        of_area.push(places);
    }
    let zones =
        names.into_iter().map(|name| TimeZone::get(name).expect("the bundled time zones have all of them"));
    Zones { zones: zones.collect(), of_area }
});

/// The area code of a phone number in E.164 form; 0, which is none, where it has none.
fn area_code(phone: &str) -> usize {
    phone.strip_prefix("+1").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn timestamp(time: Micros) -> Timestamp {
    Timestamp::from_microsecond(time.0).unwrap_or(Timestamp::MAX)
}

fn minute_of(time: Time) -> i16 {
    i16::from(time.hour()) * 60 + i16::from(time.minute())
}

/// The minutes of all area codes at `now`.
pub(crate) fn minutes(now: Micros) -> Minutes {
    let now = timestamp(now);
    let clocks: Vec<i16> = ZONES.zones.iter().map(|zone| minute_of(zone.to_datetime(now).time())).collect();
    let of_area = |pick: fn(i16, i16) -> i16| {
        let areas = ZONES.of_area.iter();
        areas.map(|places| places.iter().map(|place| clocks[*place]).reduce(pick).unwrap_or(0)).collect()
    };
    Minutes { smallest: of_area(i16::min), largest: of_area(i16::max) }
}

/// When the person with this phone number may be texted: `now` where that is in the window of all zones of their area code,
/// and otherwise the next moment that is.
pub(crate) fn open_at(phone: &str, window: Window, now: Micros) -> Micros {
    let places = ZONES.of_area.get(area_code(phone)).unwrap_or(&ZONES.of_area[0]);
    let mut at = timestamp(now);
    for _ in 0..LOOKS_MAX {
        let before = at;
        for place in places {
            at = opening(&ZONES.zones[*place], window, at);
        }
        if at == before {
            break;
        }
    }
    if at == timestamp(now) { now } else { Micros(at.as_microsecond()) }
}

/// `at` where it is in the window of this zone, and otherwise when that opens next.
fn opening(zone: &TimeZone, window: Window, at: Timestamp) -> Timestamp {
    let local = at.to_zoned(zone.clone());
    let minute = minute_of(local.time());
    if window.has(minute) {
        return at;
    }
    let opens = Time::midnight().wrapping_add(i64::from(window.open).minutes());
    let day = if minute < window.open { Ok(local.date()) } else { local.date().tomorrow() };
    let opening = day.and_then(|day| day.to_datetime(opens).to_zoned(zone.clone()));
    opening.map_or(at, |opening| opening.timestamp())
}

/// The window of these minutes as people write it.
pub(crate) fn clock(minute: i16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The minute of a clock such as `08:30`, up to `24:00`.
pub(crate) fn minute(text: &str) -> Option<i16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= DAY).then_some(minute)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW_YORK: &str = "+12125550123";
    const LOS_ANGELES: &str = "+12135550123";
    const INDIANA: &str = "+18125550123";
    const TOLL_FREE: &str = "+18005550123";
    const PLATFORM: Window = Window { open: 8 * 60, close: 21 * 60 };

    fn at(text: &str) -> Micros {
        Micros(text.parse::<Timestamp>().expect("a time").as_microsecond())
    }

    #[test]
    fn people_are_texted_by_their_own_clock() {
        // A Monday in November: New York is 5 hours behind UTC, Los Angeles 8.
        for (phone, now, then) in [
            (NEW_YORK, "2026-11-23T13:00:00Z", "2026-11-23T13:00:00Z"),
            (NEW_YORK, "2026-11-23T12:59:59Z", "2026-11-23T13:00:00Z"),
            (NEW_YORK, "2026-11-24T01:59:59Z", "2026-11-24T01:59:59Z"),
            (NEW_YORK, "2026-11-24T02:00:00Z", "2026-11-24T13:00:00Z"),
            (LOS_ANGELES, "2026-11-23T13:00:00Z", "2026-11-23T16:00:00Z"),
            // Where an area code is in two zones, it is not too early in one nor too late in the other.
            (INDIANA, "2026-11-23T13:30:00Z", "2026-11-23T14:00:00Z"),
            (INDIANA, "2026-11-24T02:30:00Z", "2026-11-24T14:00:00Z"),
            (TOLL_FREE, "2026-11-23T14:00:00Z", "2026-11-23T16:00:00Z"),
            (TOLL_FREE, "2026-11-24T02:00:00Z", "2026-11-24T16:00:00Z"),
            // The night in which the clocks go forward is an hour shorter.
            (NEW_YORK, "2027-03-14T04:00:00Z", "2027-03-14T12:00:00Z"),
        ] {
            assert_eq!(open_at(phone, PLATFORM, at(now)), at(then), "{phone} at {now}");
        }
    }

    #[test]
    fn a_window_that_suits_nobody_ends_all_the_same() {
        let narrow = Window { open: 9 * 60, close: 9 * 60 + 30 };
        let never = open_at(TOLL_FREE, narrow, at("2026-11-23T12:00:00Z"));
        assert!(never > at("2026-11-23T12:00:00Z"));
    }

    #[test]
    fn clocks_are_read_as_they_are_written() {
        for minute_of_day in [0, 1, 59, 60, 8 * 60 + 30, DAY - 1, DAY] {
            assert_eq!(minute(&clock(minute_of_day)), Some(minute_of_day));
        }
        for wrong in ["", "8:00", "08:60", "24:01", "25:00", "-1:00", "+8:00", "08:00:00", "08-00"] {
            assert_eq!(minute(wrong), None, "{wrong}");
        }
    }

    proptest! {
        /// The two ways to judge agree: by the person, and by the minutes of their area code.
        #[test]
        fn open_now_is_what_the_minutes_say(code in 200_usize..1_000, us in 1_700_000_000_000_000_i64..2_000_000_000_000_000, open in 0..DAY, long in 1..DAY) {
            let window = Window { open, close: (open + long).min(DAY) };
            let (now, minutes) = (Micros(us), minutes(Micros(us)));
            let open_now = open_at(&format!("+1{code}5550123"), window, now) == now;
            prop_assert_eq!(open_now, window.open <= minutes.smallest[code] && minutes.largest[code] < window.close);
        }

        /// An opening is to come, within two days, and open.
        #[test]
        fn an_opening_is_open(code in 200_usize..1_000, us in 1_700_000_000_000_000_i64..2_000_000_000_000_000) {
            let phone = format!("+1{code}5550123");
            let opening = open_at(&phone, PLATFORM, Micros(us));
            prop_assert!(opening >= Micros(us) && opening.0 - us <= 2 * 24 * 3_600 * 1_000_000);
            prop_assert_eq!(open_at(&phone, PLATFORM, opening), opening);
        }
    }
}
