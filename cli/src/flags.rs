//! Values that flags take: choices of the API's enums, times as people say them, masks of what to change.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::{Span, Timestamp, Zoned};
use prost_types::FieldMask;

use crate::api;
use crate::failure::{Failure, Result};

/// One of the values of an enum of the API, such as `broadcast` of CampaignMode.
pub(crate) fn choice(of: &'static str) -> impl TypedValueParser<Value = i32> {
    let values =
        api::choices(of).into_iter().map(|(name, _, comment)| PossibleValue::new(name).help(comment));
    PossibleValuesParser::new(values).map(move |chosen| {
        let numbers = api::choices(of).into_iter();
        numbers.filter(|(name, _, _)| *name == chosen).map(|(_, number, _)| number).next().unwrap_or_default()
    })
}

/// A moment to come: a time such as `2026-11-03T09:00:00Z`, or how long until then, such as `30d` or `2h`.
pub(crate) fn ahead(text: &str) -> std::result::Result<prost_types::Timestamp, String> {
    moment(text, |now, span| now.checked_add(span))
}

/// A moment that was: a time, or how long ago, such as `10m`.
pub(crate) fn ago(text: &str) -> std::result::Result<prost_types::Timestamp, String> {
    moment(text, |now, span| now.checked_sub(span))
}

fn moment(
    text: &str,
    from: impl Fn(&Zoned, Span) -> std::result::Result<Zoned, jiff::Error>,
) -> std::result::Result<prost_types::Timestamp, String> {
    let time = match (text.parse::<Timestamp>(), text.parse::<Span>()) {
        (Ok(time), _) => time,
        (_, Ok(span)) => from(&Zoned::now(), span).map_err(|error| error.to_string())?.timestamp(),
        (Err(_), Err(_)) => {
            return Err("a time such as 2026-11-03T09:00:00Z, or a span such as 30d or 10m".to_owned());
        }
    };
    Ok(prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
}

/// Seconds, from a span such as `4h` or a number of seconds.
pub(crate) fn seconds(text: &str) -> std::result::Result<i64, String> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(seconds);
    }
    let span: Span = text.parse().map_err(|_| "a span such as 4h, 30m or 90s".to_owned())?;
    // Days of 24 hours: nothing here is counted by the calendar.
    let total = span.total(jiff::SpanTotal::from(jiff::Unit::Second).days_are_24_hours());
    total.map(|seconds| seconds.trunc() as i64).map_err(|error| error.to_string())
}

/// What an update changes: the fields whose flags were given.
#[derive(Debug, Default)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    /// The value of a field, which is changed where it is given.
    pub(crate) fn take<T: Default>(&mut self, field: &str, value: Option<T>) -> T {
        if value.is_some() {
            self.0.push(field.to_owned());
        }
        value.unwrap_or_default()
    }

    /// The mask.
    ///
    /// # Errors
    /// Where nothing was given.
    pub(crate) fn done(self) -> Result<Option<FieldMask>> {
        match self.0.is_empty() {
            true => Err(Failure::usage("nothing to change").hint("`--help` lists what can be changed")),
            false => Ok(Some(FieldMask { paths: self.0 })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_seconds() {
        assert_eq!(
            ["90", "90s", "4h", "1d", "1h 30m"].map(seconds),
            [Ok(90), Ok(90), Ok(14_400), Ok(86_400), Ok(5_400)]
        );
        assert!(seconds("soon").is_err());
    }

    #[test]
    fn moments_are_times_or_spans() {
        assert_eq!(ahead("2026-11-03T09:00:00Z").map(|time| time.seconds), Ok(1_793_696_400));
        let (before, after) = (ago("10m").expect("a span"), ahead("30d").expect("a span"));
        let between = after.seconds - before.seconds;
        assert!((between - 30 * 86_400 - 600).abs() < 4_000, "{between}");
        assert!(ahead("tomorrow").is_err());
    }
}
