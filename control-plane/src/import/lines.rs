//! The lines of a file as it is read: on which line the row begins that begins at a byte.
//!
//! The CSV reader counts lines for itself, but takes a row to begin where the row before ended, in front of any empty
//! lines between them. Here every line that is not empty is remembered with its place until a row after it begins.

use std::collections::VecDeque;
use std::io::{self, Read};

/// A file whose lines are counted while somebody reads it.
pub(crate) struct Lines<R> {
    file: R,
    /// The byte that is read next, and the line it is on; from 0 and from 1.
    byte: u64,
    line: i64,
    /// Whether nothing but ends of lines was read since a line ended.
    at_begin: bool,
    /// First bytes of lines that are not empty, and the lines' numbers: those in what the reader has read ahead.
    begins: VecDeque<(u64, i64)>,
}

impl<R> Lines<R> {
    pub(crate) fn new(file: R) -> Self {
        Self { file, byte: 0, line: 1, at_begin: true, begins: VecDeque::new() }
    }

    /// The line of the first row that begins at `byte` or after empty lines there. Bytes must be asked for in order.
    pub(crate) fn line_from(&mut self, byte: u64) -> i64 {
        while self.begins.front().is_some_and(|(begin, _)| *begin < byte) {
            self.begins.pop_front();
        }
        self.begins.front().map_or(self.line, |(_, line)| *line)
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        for byte in out.iter().take(count) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.at_begin = true;
                }
                // The CSV reader ends rows at it, too; people's editors count no line for it.
                b'\r' => self.at_begin = true,
                _ if self.at_begin => {
                    self.begins.push_back((self.byte, self.line));
                    self.at_begin = false;
                }
                _ => {}
            }
            self.byte += 1;
        }
        Ok(count)
    }
}
