//! Canaries: what a run plants, and what no log of our own processes may hold when the run is over.
//!
//! The harness notes every phone number, text, key, token and secret that it sends to the platform. When a stack has
//! ended, the logs of its control-plane, migration, sender nodes and gateway are read once more: a canary in one of them
//! fails the test that ran the stack. The logs of PostgreSQL, NATS and the simulator are not ours, and not read.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::run_dir::RunDir;

/// What the logs of our own processes begin with.
const OURS: [&str; 4] = ["control-plane", "migrate", "sender-node", "gateway"];
/// What every API key begins with, and how much of chance follows.
const KEY: (&str, usize) = ("mstr_", 40);
/// What the secret of every simulated account begins with.
const ACCOUNT_SECRET: &str = "secret-of-";
/// Digits of a phone number without its country code.
const DIGITS: usize = 10;
/// Letters of a text or a secret at least: a shorter one may be a word like any other.
const CHARS_MIN: usize = 12;

/// Everything planted by this process, in all of its runs.
#[derive(Default)]
struct Planted {
    numbers: HashSet<String>,
    words: HashSet<String>,
}

static PLANTED: LazyLock<Mutex<Planted>> = LazyLock::new(Mutex::default);

fn note(note: impl FnOnce(&mut Planted)) {
    note(&mut PLANTED.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Notes every phone number in a text, such as a file of contacts.
pub fn plant_numbers(text: &str) {
    let cells = text.split([',', ';', '\n', '"', '\t']);
    let numbers: Vec<String> = cells.flat_map(numbers).collect();
    note(|planted| planted.numbers.extend(numbers));
}

/// Notes a template or a reply: what stands between its merge fields.
pub fn plant_text(text: &str) {
    let parts = text.split(['{', '}', '|']).map(str::trim);
    let long = parts.filter(|part| part.chars().count() >= CHARS_MIN).map(str::to_owned);
    note(|planted| planted.words.extend(long));
}

/// Notes a key, a token or a secret.
pub fn plant_secret(secret: &str) {
    if secret.chars().count() >= CHARS_MIN {
        note(|planted| planted.words.extend([secret.to_owned()]));
    }
}

/// What may be a phone number in a line, by its ten digits: as one run, and spelled with what stands between digits.
fn numbers(line: &str) -> Vec<String> {
    let spelled = line.replace([' ', '-', '.', '(', ')', '\u{a0}'], "");
    let runs = |text: &str| -> Vec<String> {
        text.split(|letter: char| !letter.is_ascii_digit()).filter_map(national).collect()
    };
    [runs(line), runs(&spelled)].concat()
}

/// The ten digits of a number in North America.
fn national(run: &str) -> Option<String> {
    let digits = if run.len() == DIGITS + 1 { run.strip_prefix('1')? } else { run };
    (digits.len() == DIGITS).then(|| digits.to_owned())
}

/// The first canary in a line.
fn canary(planted: &Planted, line: &str) -> Option<String> {
    let key = line
        .split(KEY.0)
        .skip(1)
        .find(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= KEY.1);
    if key.is_some() || line.contains(ACCOUNT_SECRET) {
        return Some("a key or an account's secret".to_owned());
    }
    let number = numbers(line).into_iter().find(|number| planted.numbers.contains(number));
    number.or_else(|| planted.words.iter().find(|word| line.contains(*word)).cloned())
}

/// The first canary in the logs of our own processes in a run's folder, with its line.
fn look(folder: &Path) -> Option<String> {
    let planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".log") || !OURS.iter().any(|ours| name.starts_with(ours)) {
            continue;
        }
        let log = std::fs::read(entry.path()).unwrap_or_default();
        for line in String::from_utf8_lossy(&log).lines() {
            if let Some(canary) = canary(&planted, line) {
                return Some(format!("{name} holds `{canary}`: {line}"));
            }
        }
    }
    None
}

/// Looks at the logs of a run when it is dropped, and panics where one holds a canary.
pub(crate) struct Canaries(pub(crate) Arc<RunDir>);

impl fmt::Debug for Canaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canaries")
    }
}

impl Drop for Canaries {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if let Some(found) = look(self.0.path()) {
            panic!("{found}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_canary_is_found_in_our_logs_alone() {
        plant_numbers("Amina,+1 (202) 555-0143,x\r\nBruno,12025550144\n");
        plant_text("Hi {first_name|friend}, remember the canary!");
        plant_secret("a-token-of-the-canary");
        let run = RunDir::create().expect("a folder");
        let write = |name: &str, line: &str| {
            std::fs::write(run.log(name), format!("a line\n{line}\n")).expect("a log");
            look(run.path())
        };
        for bad in [
            "to=+12025550143",
            "to=2025550144 failed",
            "row 3 2025550144: (202) 555-0143",
            "body: Hi friend, remember the canary!",
            "token a-token-of-the-canary",
            "account secret-of-0123",
            "Bearer mstr_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghi",
        ] {
            assert!(write("sender-node-0", bad).is_some(), "{bad}");
            assert!(write("postgres-1", bad).is_some(), "the log before is still there");
            assert!(write("sender-node-0", "nothing").is_none(), "PostgreSQL's log is not ours");
        }
        let harmless = "key ends in mstr_ab, at 1795529495098, 01a20de5-d0e8-7742-b057-120255501430";
        assert!(write("gateway", harmless).is_none());
    }
}
