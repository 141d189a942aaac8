//! Numbers for people.

use std::fmt::Display;

/// A whole number with commas: `1,234,567`.
pub fn thousands(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        let left = digits.len() - at;
        if left.is_multiple_of(3) && !text.is_empty() && text != "-" {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn every_third_digit_has_a_comma() {
        let cases =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-123_456, "-123,456")];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
    }
}
