//! The lines of a ledger, written and read.

use std::io::Write;

use muster_domain::provider::Provider;
use uuid::Uuid;

use super::{Entry, Outcome, Record, ReplyEntry};

/// Appends the line of an accepted text.
pub(crate) fn push_accepted(out: &mut Vec<u8>, entry: &Entry) {
    out.extend_from_slice(b"A\t");
    push_number(out, entry.time_us);
    match entry.message_id {
        Some(id) => push_id(out, id),
        None => out.extend_from_slice(b"-\t"),
    }
    for field in [entry.provider.name(), &entry.account, &entry.to, &entry.from, &entry.provider_id] {
        push_field(out, field);
    }
    let (outcome, code) = match entry.outcome {
        Outcome::Delivered => ("delivered", 0),
        Outcome::Undelivered(code) => ("undelivered", code),
        Outcome::Failed(code) => ("failed", code),
    };
    push_field(out, outcome);
    push_number(out, code.into());
    push_number(out, entry.final_us);
    if entry.final_lost {
        out.push(b'l');
    }
    if entry.silent {
        out.push(b'w');
    }
    out.push(b'\t');
    push_number(out, entry.attempt.into());
    push_tail(out, &entry.body, &entry.media);
}

/// Appends the line of a reply that was answered with a 2xx.
pub(crate) fn push_reply(out: &mut Vec<u8>, reply: &ReplyEntry) {
    out.extend_from_slice(b"R\t");
    push_number(out, reply.time_us);
    for field in [reply.provider.name(), &reply.account, &reply.from, &reply.to, &reply.provider_id] {
        push_field(out, field);
    }
    push_tail(out, &reply.body, &reply.media);
}

/// Appends the line of a final receipt that was given up.
pub(crate) fn push_given_up(out: &mut Vec<u8>, time_us: u64, message_id: Uuid) {
    out.extend_from_slice(b"G\t");
    push_number(out, time_us);
    push_id(out, message_id);
    let last = out.len() - 1;
    out[last] = b'\n';
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    write!(out, "{number}\t").expect("a Vec takes every write");
}

fn push_id(out: &mut Vec<u8>, id: Uuid) {
    out.extend_from_slice(id.simple().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.push(b'\t');
}

fn push_field(out: &mut Vec<u8>, field: &str) {
    push_escaped(out, field);
    out.push(b'\t');
}

fn push_tail(out: &mut Vec<u8>, body: &str, media: &[Box<str>]) {
    push_field(out, body);
    for (index, url) in media.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        push_escaped(out, url);
    }
    out.push(b'\n');
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    if !text.bytes().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b'\\')) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for byte in text.bytes() {
        match byte {
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(byte),
        }
    }
}

/// The record in a line, without its end.
pub(crate) fn parse(line: &str) -> Option<Record> {
    let mut fields = Fields(line.split('\t'));
    let record = match fields.text()? {
        "A" => Record::Accepted(accepted(&mut fields)?),
        "R" => Record::Replied(reply(&mut fields)?),
        "G" => {
            fields.number::<u64>()?;
            Record::GivenUp(Uuid::parse_str(fields.text()?).ok()?)
        }
        _ => return None,
    };
    fields.0.next().is_none().then_some(record)
}

fn accepted(fields: &mut Fields<'_>) -> Option<Entry> {
    let time_us = fields.number()?;
    let message_id = match fields.text()? {
        "-" => None,
        id => Some(Uuid::parse_str(id).ok()?),
    };
    let provider = fields.text()?.parse().ok()?;
    let [account, to, from, provider_id] =
        [fields.unescaped()?, fields.unescaped()?, fields.unescaped()?, fields.unescaped()?];
    let outcome = fields.text()?;
    let code = fields.number()?;
    let outcome = match outcome {
        "delivered" => Outcome::Delivered,
        "undelivered" => Outcome::Undelivered(code),
        "failed" => Outcome::Failed(code),
        _ => return None,
    };
    let final_us = fields.number()?;
    let flags = fields.text()?;
    let attempt = fields.number()?;
    let body = fields.unescaped()?;
    let media = fields.media()?;
    let (final_lost, silent) = (flags.contains('l'), flags.contains('w'));
    #[rustfmt::skip]
    return Some(Entry {
        time_us, message_id, attempt, provider, account, to, from, provider_id, outcome, final_us,
        final_lost, silent, body, media,
    });
}

fn reply(fields: &mut Fields<'_>) -> Option<ReplyEntry> {
    Some(ReplyEntry {
        time_us: fields.number()?,
        provider: fields.text()?.parse::<Provider>().ok()?,
        account: fields.unescaped()?,
        from: fields.unescaped()?,
        to: fields.unescaped()?,
        provider_id: fields.unescaped()?,
        body: fields.unescaped()?,
        media: fields.media()?,
    })
}

struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn text(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }

    fn unescaped(&mut self) -> Option<Box<str>> {
        let text = self.text()?;
        if !text.contains('\\') {
            return Some(text.into());
        }
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            plain.push(match char {
                '\\' => match chars.next()? {
                    't' => '\t',
                    'n' => '\n',
                    'r' => '\r',
                    '\\' => '\\',
                    _ => return None,
                },
                char => char,
            });
        }
        Some(plain.into())
    }

    fn media(&mut self) -> Option<Vec<Box<str>>> {
        let all = self.unescaped()?;
        Some(all.split(' ').filter(|url| !url.is_empty()).map(Box::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            time_us: 1_700_000_000_000_001,
            message_id: Some(Uuid::from_u128(7)),
            attempt: 2,
            provider: Provider::Telnyx,
            account: "acme\tUSA".into(),
            to: "+12025550123".into(),
            from: "+14155550100".into(),
            provider_id: "SM1".into(),
            outcome: Outcome::Failed(30034),
            final_us: 1_700_000_000_000_002,
            final_lost: true,
            silent: true,
            body: "Two\nlines,\ta tab, a \\ and \r ☕".into(),
            media: vec!["http://a/1".into(), "http://a/2".into()],
        }
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let plain = Entry {
            message_id: None,
            outcome: Outcome::Delivered,
            final_lost: false,
            silent: false,
            body: "".into(),
            media: vec![],
            ..entry()
        };
        for entry in [entry(), plain] {
            let mut line = Vec::new();
            push_accepted(&mut line, &entry);
            let line = String::from_utf8(line).expect("text");
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(parse(line.trim_end_matches('\n')), Some(Record::Accepted(entry)));
        }
    }

    #[test]
    fn so_do_replies_and_what_was_given_up() {
        let reply = ReplyEntry {
            time_us: 1,
            provider: Provider::Twilio,
            account: "AC1".into(),
            from: "+12025550123".into(),
            to: "+14155550100".into(),
            provider_id: "SM2".into(),
            body: "STOP\n".into(),
            media: vec![],
        };
        let mut line = Vec::new();
        push_reply(&mut line, &reply);
        let line = String::from_utf8(line).expect("text");
        assert_eq!(parse(line.trim_end_matches('\n')), Some(Record::Replied(reply)));
        let mut line = Vec::new();
        push_given_up(&mut line, 5, Uuid::from_u128(7));
        assert_eq!(line, b"G\t5\t00000000000000000000000000000007\n");
        let line = String::from_utf8(line).expect("text");
        assert_eq!(parse(line.trim_end_matches('\n')), Some(Record::GivenUp(Uuid::from_u128(7))));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for line in ["", "A", "X\t1", "G\t1\tnot-an-id", "G\t5\t00000000000000000000000000000007\tmore"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }
}
