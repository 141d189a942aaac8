//! The ledger while it is written: lines gathered for a few milliseconds and appended together, and an index
//! that is small enough for millions of texts: 8 bytes for where a line is, and one entry for Muster's id.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use uuid::Uuid;

use super::{Entry, Record, ReplyEntry, line, push_accepted, push_given_up, push_reply};
use crate::lock;

/// The index of Muster's ids is kept in this many parts, so that none takes long when it has to grow.
const PARTS: usize = 64;

/// Longer than any line: ten segments and ten media.
const LINE_BYTES_MAX: usize = 64 << 10;

/// A ledger that is being written.
pub(crate) struct Book {
    path: PathBuf,
    pages: Mutex<Pages>,
}

struct Pages {
    file: File,
    /// Lines not yet in the file.
    buffer: Vec<u8>,
    /// Where the buffer will begin in the file.
    written: u64,
    /// Where the line of each text is, by its number.
    offsets: Vec<u64>,
    /// The number of the first text with this id of Muster's.
    numbers: Vec<HashMap<Uuid, u32>>,
}

/// Whether a text was accepted for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    First,
    /// A text with the same id of Muster's had been accepted before.
    Again,
}

impl Book {
    /// Opens the ledger at `path`, and goes on where it ended.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let mut pages = Pages {
            file,
            buffer: Vec::with_capacity(1 << 20),
            written: 0,
            offsets: Vec::new(),
            numbers: vec![HashMap::new(); PARTS],
        };
        pages.reread(path)?;
        Ok(Self { path: path.to_owned(), pages: Mutex::new(pages) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Enters an accepted text. `entry` gets its number, of which the provider's id is made.
    pub(crate) fn accept(&self, entry: impl FnOnce(u32) -> Entry) -> (Entry, Accepted) {
        let mut pages = lock(&self.pages);
        let entry = entry(pages.offsets.len() as u32);
        let accepted = pages.index(entry.message_id);
        push_accepted(&mut pages.buffer, &entry);
        (entry, accepted)
    }

    /// Enters a reply that was answered.
    pub(crate) fn reply(&self, reply: &ReplyEntry) {
        push_reply(&mut lock(&self.pages).buffer, reply);
    }

    /// Enters that the final receipt of a text was given up.
    pub(crate) fn give_up(&self, time_us: u64, message_id: Uuid) {
        push_given_up(&mut lock(&self.pages).buffer, time_us, message_id);
    }

    /// Writes to the file what has been gathered.
    pub(crate) fn flush(&self) -> io::Result<()> {
        lock(&self.pages).flush()
    }

    /// The text of this number.
    pub(crate) fn entry(&self, number: u32) -> io::Result<Option<Entry>> {
        let mut pages = lock(&self.pages);
        pages.flush()?;
        let offset = pages.offsets.get(number as usize).copied();
        offset.map_or(Ok(None), |offset| pages.entry_at(offset))
    }

    /// The first text with this id of Muster's.
    pub(crate) fn entry_of(&self, message_id: Uuid) -> io::Result<Option<Entry>> {
        let number = lock(&self.pages).numbers[part(message_id)].get(&message_id).copied();
        number.map_or(Ok(None), |number| self.entry(number))
    }
}

impl Pages {
    /// Takes up an earlier ledger; a line that was cut off by a crash is cut off for good.
    fn reread(&mut self, path: &Path) -> io::Result<()> {
        let bytes = std::fs::read(path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for text in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
            if let Some(Record::Accepted(entry)) = parse(text) {
                self.index(entry.message_id);
            }
            self.written += text.len() as u64;
        }
        self.file.set_len(self.written)
    }

    fn index(&mut self, message_id: Option<Uuid>) -> Accepted {
        let number = self.offsets.len() as u32;
        self.offsets.push(self.written + self.buffer.len() as u64);
        let Some(message_id) = message_id else { return Accepted::First };
        let first = *self.numbers[part(message_id)].entry(message_id).or_insert(number);
        if first == number { Accepted::First } else { Accepted::Again }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn entry_at(&self, offset: u64) -> io::Result<Option<Entry>> {
        let mut bytes = vec![0; LINE_BYTES_MAX];
        let length = self.file.read_at(&mut bytes, offset)?;
        let text = bytes[..length].split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(match parse(text) {
            Some(Record::Accepted(entry)) => Some(entry),
            Some(Record::Replied(_) | Record::GivenUp(_)) | None => None,
        })
    }
}

/// The last bits of an id are random, also where the first are a time.
fn part(message_id: Uuid) -> usize {
    message_id.as_u128() as usize % PARTS
}

fn parse(line: &[u8]) -> Option<Record> {
    line::parse(str::from_utf8(line).ok()?.strip_suffix('\n')?)
}
