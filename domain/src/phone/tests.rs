//! What contact lists hold, and which of it can be texted.

use proptest::prelude::*;

use super::{Error, PhoneNumber};

fn parsed(raw: &str) -> Result<String, Error> {
    PhoneNumber::parse(raw).map(|number| number.as_e164().to_owned())
}

fn sender(raw: &str) -> Result<String, Error> {
    PhoneNumber::parse_sender(raw).map(|number| number.as_e164().to_owned())
}

#[test]
fn every_way_to_write_one_number() {
    let written = [
        "4155552671",
        "14155552671",
        "+14155552671",
        "0014155552671",
        "01114155552671",
        "(415) 555-2671",
        "+1 (415) 555-2671",
        "(+1) 415-555-2671",
        "1-415-555-2671",
        "415.555.2671",
        "415/555/2671",
        "415 \u{2013} 555 \u{2011} 2671",
        "415\u{a0}555\u{a0}2671",
        "\u{feff}415-555-2671\r\n",
        "\u{202a}+1 415-555-2671\u{202c}",
        "=\"4155552671\"",
        "'4155552671",
        "\u{2019}4155552671",
        "\"415-555-2671\"",
        "=+14155552671",
        "4155552671.0",
        "14155552671.00",
        "4,155,552,671",
        "4,155,552,671.00",
        "tel:+1-415-555-2671",
        "TEL: 415 555 2671",
        "４１５５５５２６７１",
        "＋１（４１５）５５５－２６７１",
        "٤١٥٥٥٥٢٦٧١",
    ];
    for raw in written {
        assert_eq!(parsed(raw).as_deref(), Ok("+14155552671"), "{raw:?}");
    }
}

#[test]
fn every_reason_to_refuse() {
    use Error::{
        Empty, Fictional, HasExtension, InvalidAreaCode, InvalidExchange, NotANumber, NotNorthAmerican,
        PremiumOrPersonal, SpreadsheetNotation, TollFree, TooLong, TooShort,
    };
    let refused: [(&[&str], Error); 12] = [
        (&["", "  ", "\u{a0}", "=\"\"", "''", "tel:"], Empty),
        (&["n/a", "-", "call 415 555 2671", "415-555-CALL", "4155552671 (cell)", "415+5552671"], NotANumber),
        (&["*67 4155552671", "#4155552671", "4155552671 x", "++14155552671"], NotANumber),
        (&["4.15555E+09", "4,15555e+09", "4.15556e9", "4E9", "#N/A", "#REF!", "######"], SpreadsheetNotation),
        (&["415-555-2671 x12", "4155552671ext. 3", "4155552671 Extension 3", "4155552671#12"], HasExtension),
        (&["5552671", "415555267", "1415555267", "+1415555267", "555.0", "911"], TooShort),
        (&["41555526711", "447911123456", "4155552671 / 4155552672", "+141555526711"], TooLong),
        (&["+447911123456", "00447911123456", "011447911123456", "+4155552671"], NotNorthAmerican),
        (
            &["0155552671", "9115552671", "2225552671", "9995552671", "8225552671", "0000000000"],
            InvalidAreaCode,
        ),
        (
            &["4150552671", "4151552671", "4159112671", "4159762671", "4157002671", "4155551212"],
            InvalidExchange,
        ),
        (
            &["9005552671", "5005552671", "5225552671", "7005552671", "7105552671", "6005552671"],
            PremiumOrPersonal,
        ),
        (&["8005552671", "8335552671", "8885550123", "+18440552671"], TollFree),
    ];
    for (raws, reason) in refused {
        for raw in raws {
            assert_eq!(parsed(raw), Err(reason), "{raw:?}");
        }
    }
    for raw in ["4155550100", "4155550123", "+12025550199"] {
        assert_eq!(parsed(raw), Err(Fictional), "{raw:?}");
    }
}

#[test]
fn neighbours_of_the_fictional_range_are_real() {
    assert!(parsed("4155550099").is_ok());
    assert!(parsed("4155550200").is_ok());
    assert!(parsed("4155560123").is_ok());
}

#[test]
fn canada_and_the_caribbean_are_north_american() {
    for raw in ["4165552671", "8765552671", "7872345678", "2423572671"] {
        assert!(parsed(raw).is_ok(), "{raw}: {:?}", parsed(raw));
    }
}

#[test]
fn senders_may_be_toll_free_short_or_fictional() {
    assert_eq!(sender("(833) 555-2671").as_deref(), Ok("+18335552671"));
    assert_eq!(sender("+12025550123").as_deref(), Ok("+12025550123"));
    assert_eq!(sender("72345").as_deref(), Ok("72345"));
    assert_eq!(sender("723-456").as_deref(), Ok("723456"));
    assert_eq!(sender("12345"), Err(Error::TooShort));
    assert_eq!(sender("+72345"), Err(Error::NotNorthAmerican));
    assert_eq!(sender("9005552671"), Err(Error::PremiumOrPersonal));
    assert_eq!(sender("2225552671"), Err(Error::InvalidAreaCode));
}

#[test]
fn area_code_is_three_digits_or_none() {
    assert_eq!(PhoneNumber::from_e164_trusted("+14155552671").area_code(), "415");
    assert_eq!(PhoneNumber::from_e164_trusted("72345").area_code(), "");
    assert_eq!(PhoneNumber::from_e164_trusted("+1").area_code(), "");
}

#[test]
fn printing_hides_the_middle() {
    let number = PhoneNumber::from_e164_trusted("+14155552671");
    assert_eq!(number.to_string(), "+1415***2671");
    assert_eq!(format!("{number:?}"), "PhoneNumber(+1415***2671)");
}

#[test]
fn reasons_are_distinct_names() {
    let mut names: Vec<_> = Error::ALL.iter().map(|error| error.reason()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Error::ALL.len());
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')));
}

proptest! {
    #[test]
    fn whatever_stands_in_the_cell_is_judged(raw in "\\PC{0,40}") {
        let _ = PhoneNumber::parse(&raw);
        let _ = PhoneNumber::parse_sender(&raw);
    }

    #[test]
    fn what_was_parsed_parses_to_itself(raw in "[0-9+(). -]{7,20}") {
        if let Ok(number) = PhoneNumber::parse(&raw) {
            prop_assert_eq!(number.as_e164().len(), 12);
            prop_assert_eq!(PhoneNumber::parse(number.as_e164()), Ok(number.clone()));
            prop_assert_eq!(PhoneNumber::parse_sender(number.as_e164()), Ok(number));
        }
    }

    #[test]
    fn lines_of_a_real_exchange_are_numbers(exchange in 220u32..=410, line in 0u32..10_000) {
        prop_assume!(exchange % 100 != 11);
        let raw = format!("1 (212) {exchange}-{line:04}");
        let expected = format!("+1212{exchange}{line:04}");
        prop_assert_eq!(parsed(&raw), Ok(expected));
    }
}
