//! Templates that people write, well and badly.

use proptest::prelude::*;

use super::{Error, MissingField, Problem, SOURCE_BYTES_MAX, Template};

fn ann(name: &str) -> Option<&'static str> {
    match name {
        "firstName" => Some("Ann"),
        "first_name" => Some("  Ann\u{a0}"),
        "sly" => Some("{firstName}"),
        "blank" => Some(" \u{a0} "),
        "empty" => Some(""),
        _ => None,
    }
}

fn rendered(source: &str) -> Result<String, MissingField> {
    let template = Template::parse(source).expect("the template is well formed");
    let mut out = String::new();
    template.render(ann, &mut out).map(|()| out)
}

#[test]
fn fields_take_values_and_defaults() {
    let cases = [
        ("", ""),
        ("no fields", "no fields"),
        ("Hi {firstName}!", "Hi Ann!"),
        ("Hi {first_name}, ok?", "Hi Ann, ok?"),
        ("{firstName}{firstName|x}", "AnnAnn"),
        ("Hi {blank|dear friend}", "Hi dear friend"),
        ("Hi {empty|ami·e}", "Hi ami·e"),
        ("Hi {none|a&b\n}", "Hi a&b\n"),
        ("{{firstName}} {{{firstName}}} }}{{", "{firstName} {Ann} }{"),
        ("{sly}", "{firstName}"),
        ("😀{firstName}😀", "😀Ann😀"),
    ];
    for (source, text) in cases {
        assert_eq!(rendered(source).as_deref(), Ok(text), "{source}");
    }
}

#[test]
fn nobody_is_texted_a_hole() {
    for name in ["none", "blank", "empty"] {
        let template = Template::parse(&format!("Hi {{firstName}} {{{name}}},")).expect("well formed");
        let mut out = "kept".to_owned();
        assert_eq!(template.render(ann, &mut out), Err(MissingField { name: name.to_owned() }));
        assert_eq!(out, "kept");
    }
}

#[test]
fn mistakes_are_pointed_at() {
    use Problem::{BadCharacter, EmptyDefault, EmptyName, Unclosed, Unopened};
    let cases = [
        ("Hi {firstName", 3, Unclosed),
        ("Hi {", 3, Unclosed),
        ("é {a|b", 3, Unclosed),
        ("Hi }", 3, Unopened),
        ("a } b }} c", 2, Unopened),
        ("Hi {}", 4, EmptyName),
        ("Hi {|x}", 4, EmptyName),
        ("{a|}", 3, EmptyDefault),
        ("{a| \u{a0}}", 3, EmptyDefault),
        ("{first name}", 6, BadCharacter(' ')),
        ("{1st}", 1, BadCharacter('1')),
        ("{prénom}", 3, BadCharacter('é')),
        ("{a{b}}", 2, BadCharacter('{')),
        ("{a|b{c}}", 4, BadCharacter('{')),
        ("{a|b|c}", 4, BadCharacter('|')),
    ];
    for (source, at, problem) in cases {
        assert_eq!(Template::parse(source), Err(Error { at, problem }), "{source}");
    }
    let error = Template::parse("Hi }").expect_err("the brace closes nothing");
    assert_eq!(error.to_string(), "at byte 3: the brace closes nothing; write }} for a brace");
}

#[test]
fn a_template_has_a_bound() {
    assert!(Template::parse(&"a".repeat(SOURCE_BYTES_MAX)).is_ok());
    let error = Error { at: SOURCE_BYTES_MAX, problem: Problem::TooLong };
    assert_eq!(Template::parse(&"a".repeat(SOURCE_BYTES_MAX + 1)), Err(error));
}

#[test]
fn fields_are_listed_in_order() {
    let template = Template::parse("{a} {b|x} {{c}} {a}").expect("well formed");
    assert_eq!(template.fields().collect::<Vec<_>>(), ["a", "b", "a"]);
    assert_eq!(template.source(), "{a} {b|x} {{c}} {a}");
}

proptest! {
    #[test]
    fn any_text_is_judged_and_errors_point_inside(source in "([{}|]|[a-z_]|\\PC){0,30}") {
        match Template::parse(&source) {
            Ok(template) => {
                let _ = template.render(|_| Some("v"), &mut String::new());
            }
            Err(error) => prop_assert!(source.is_char_boundary(error.at) && error.at < source.len()),
        }
    }

    #[test]
    fn escaped_text_renders_to_itself(text in "([{}|]|\\PC){0,30}") {
        let source = text.replace('{', "{{").replace('}', "}}");
        prop_assert_eq!(rendered(&source), Ok(text));
    }
}
