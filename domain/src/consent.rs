//! Consent: which replies are keywords that opt a person out or in.
//!
//! 47 CFR 64.1200(a)(10) (FCC 24-18, in force since 2025-04-11) makes "stop", "quit", "end", "revoke",
//! "opt out", "cancel" and "unsubscribe" revocations of consent whoever receives them; CTIA's Messaging
//! Principles name STOP, END, CANCEL, UNSUBSCRIBE, QUIT and HELP. Providers add a few of their own, and what
//! a provider takes for an opt-out Muster must take for one too.
//!
//! A keyword is the whole reply: "stop", not "please don't stop". Other words that revoke consent are for a
//! person to judge, as the rule demands.

/// What a reply asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keyword {
    /// Send no more texts.
    Stop,
    /// Send texts again.
    Start,
    /// Send texts again, if the person had opted out. From anyone else it is an answer: YES, I will vote.
    StartIfOptedOut,
    /// Say who is texting and how to stop it.
    Help,
}

/// Words that opt out, with the spellings of all providers.
pub const STOP_WORDS: &[&str] = &[
    "STOP",
    "STOPALL",
    "STOP ALL",
    "UNSUBSCRIBE",
    "UNSUB",
    "CANCEL",
    "END",
    "QUIT",
    "OPTOUT",
    "OPT OUT",
    "REVOKE",
];
/// Words that opt out in Spanish, for tenants who text in it. ALTO and BAJA also have other meanings.
pub const STOP_WORDS_SPANISH: &[&str] = &["PARAR", "ALTO", "BAJA"];
/// Words that opt out in French, for tenants who text in it.
pub const STOP_WORDS_FRENCH: &[&str] = &["ARRET", "ARRÊT", "ARRETER", "ARRÊTER"];
/// Words that opt in.
pub const START_WORDS: &[&str] = &["START", "UNSTOP", "RESUME"];
/// Words that opt in only those who had opted out.
pub const START_IF_OPTED_OUT_WORDS: &[&str] = &["YES"];
/// Words that ask for help.
pub const HELP_WORDS: &[&str] = &["HELP", "INFO"];

/// The keyword that a reply is, by the default words.
pub fn keyword(body: &str) -> Option<Keyword> {
    [
        (STOP_WORDS, Keyword::Stop),
        (START_WORDS, Keyword::Start),
        (START_IF_OPTED_OUT_WORDS, Keyword::StartIfOptedOut),
        (HELP_WORDS, Keyword::Help),
    ]
    .into_iter()
    .find_map(|(words, keyword)| is_any(body, words).then_some(keyword))
}

/// Whether the whole reply is one of `words`, which are in capitals with single spaces. Case does not count,
/// nor what stands around the word (blanks, quotes, punctuation, an emoji); a hyphen counts as a space.
pub fn is_any(body: &str, words: &[&str]) -> bool {
    let body = body.trim_matches(|c: char| !c.is_alphanumeric());
    words.iter().any(|word| is_word(body, word))
}

fn is_word(body: &str, word: &str) -> bool {
    let mut said = body.split(is_gap).filter(|part| !part.is_empty());
    let mut meant = word.split(' ');
    loop {
        match (said.next(), meant.next()) {
            (None, None) => return true,
            (Some(said), Some(meant)) if said.chars().flat_map(char::to_uppercase).eq(meant.chars()) => {}
            (Some(_), Some(_)) | (None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '_' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_default_word_is_its_keyword() {
        for word in STOP_WORDS {
            assert_eq!(keyword(word), Some(Keyword::Stop), "{word}");
        }
        for word in START_WORDS {
            assert_eq!(keyword(word), Some(Keyword::Start), "{word}");
        }
        for word in HELP_WORDS {
            assert_eq!(keyword(word), Some(Keyword::Help), "{word}");
        }
        assert_eq!(keyword("YES"), Some(Keyword::StartIfOptedOut));
    }

    /// The words that 47 CFR 64.1200(a)(10) names.
    #[test]
    fn the_words_of_the_rule_opt_out() {
        for word in ["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"] {
            assert_eq!(keyword(word), Some(Keyword::Stop), "{word}");
        }
    }

    #[test]
    fn people_type_keywords_in_many_ways() {
        let stops = [
            " Stop. ",
            "stop!!!",
            "“STOP”",
            "'stop'",
            "STOP\n",
            "Stop\u{a0}",
            "(stop)",
            "STOP 🛑",
            "stop  all",
            "stop\nall",
            "Opt-Out",
            "OPT – OUT",
            "opt_out.",
            "\u{feff}stop",
            "Stop…",
            "-stop-",
        ];
        for body in stops {
            assert_eq!(keyword(body), Some(Keyword::Stop), "{body:?}");
        }
    }

    #[test]
    fn a_sentence_is_not_a_keyword() {
        let bodies = [
            "",
            " ",
            "!",
            "please stop",
            "STOP texting",
            "don't stop",
            "stopp",
            "s t o p",
            "the end",
            "yes please",
            "no",
            "stop, help",
            "ALTO",
            "unstoppable",
            "help me",
        ];
        for body in bodies {
            assert_eq!(keyword(body), None, "{body:?}");
        }
    }

    #[test]
    fn other_languages_are_opted_into() {
        assert!(is_any("¡Alto!", STOP_WORDS_SPANISH));
        assert!(is_any("arrêt", STOP_WORDS_FRENCH));
        assert!(is_any("Arreter.", STOP_WORDS_FRENCH));
        assert!(!is_any("stop", STOP_WORDS_FRENCH));
    }

    proptest! {
        #[test]
        fn any_reply_is_judged(body in "\\PC{0,40}") {
            let _ = keyword(&body);
        }

        #[test]
        fn case_and_surroundings_do_not_count(
            before in "[ \"'(\u{a0}]{0,3}",
            word in proptest::sample::select(STOP_WORDS),
            after in "[ .!\"')\u{a0}\n]{0,3}",
        ) {
            let lower = format!("{before}{}{after}", word.to_lowercase());
            prop_assert_eq!(keyword(&lower), Some(Keyword::Stop));
        }
    }
}
