//! Rows of a CSV file: which column is which, how cells are encoded, and what cannot become a contact.

use std::borrow::Cow;
use std::io::{BufRead, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder};
use encoding_rs::WINDOWS_1252;
use muster_domain::phone::PhoneNumber;
use muster_runtime::{Error, Result, clock};

use crate::db::Micros;
use crate::import::lines::Lines;
use crate::store::contacts::{Fields, RejectedRow};

/// The longest header line; a file without a line end in so many bytes is no CSV file.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Columns at most.
const COLUMNS_MAX: usize = 200;
/// The longest row; longer ones are most likely an open quote that swallows the file.
const ROW_BYTES_MAX: usize = 64 * 1024;
/// How much of a rejected row is kept, in characters.
const KEPT_CHARS_MAX: usize = 500;
/// Headers that name the column of phone numbers, as [`column_name`] writes them; the first that is there counts.
const PHONE_COLUMNS: [&str; 14] = [
    "phone_number",
    "phone",
    "cell_phone",
    "cell_phone_number",
    "cell",
    "cell_number",
    "mobile_phone",
    "mobile_phone_number",
    "mobile",
    "mobile_number",
    "telephone",
    "telephone_number",
    "tel",
    "number",
];

/// Where a row stands in the file, and what it looks like.
pub(crate) struct Place {
    pub(crate) line: i64,
    content: String,
}

impl Place {
    /// The row as a rejected one.
    pub(crate) fn reject(self, reason: &str) -> RejectedRow {
        let reason = reason.to_owned();
        RejectedRow {
            id: clock::new_id(),
            line: self.line,
            reason,
            content: self.content,
            create_time: Micros::now(),
        }
    }
}

/// A row that was read.
pub(crate) enum Parsed {
    /// It can become a contact.
    Contact { place: Place, phone: String, fields: Fields },
    /// It cannot, for a reason.
    Rejected { place: Place, reason: &'static str },
}

/// The rows of a file.
pub(crate) fn parse(
    mut file: impl BufRead,
    phone_column: &str,
) -> Result<impl Iterator<Item = Result<Parsed>>> {
    let header = header_line(&mut file)?;
    let delimiter = delimiter(&header);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(Lines::new(Cursor::new(header).chain(file)));
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).map_err(unreadable)?;
    let columns = Columns::read(&record, phone_column)?;
    Ok(std::iter::from_fn(move || {
        let begin = reader.position().byte();
        match reader.read_byte_record(&mut record) {
            Ok(false) => None,
            Ok(true) => Some(row(&record, &columns, reader.get_mut().line_from(begin))),
            Err(error) => Some(Err(unreadable(error))),
        }
    }))
}

fn unreadable(error: csv::Error) -> Error {
    Error::invalid("chunk", format!("the file cannot be read as CSV: {error}"))
}

/// The first line, with the byte order mark taken off. It is read on its own to see what stands between cells.
fn header_line(file: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let limit = u64::try_from(HEADER_BYTES_MAX).unwrap_or(u64::MAX);
    file.by_ref().take(limit).read_until(b'\n', &mut line).map_err(Error::internal)?;
    if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) || line.contains(&0) {
        return Err(Error::invalid("chunk", "the file is UTF-16 or binary; save it as CSV in UTF-8"));
    }
    if line.len() >= HEADER_BYTES_MAX {
        return Err(Error::invalid("chunk", "the file has no header line"));
    }
    if line.starts_with(&[0xef, 0xbb, 0xbf]) {
        line.drain(..3);
    }
    if line.trim_ascii().is_empty() {
        return Err(Error::invalid(
            "chunk",
            "the file is empty, or its first line is; it needs a header row",
        ));
    }
    Ok(line)
}

/// What stands between cells: whichever of comma, semicolon and tab the header has most of, outside of quotes.
fn delimiter(header: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in header {
        if *byte == b'"' {
            quoted = !quoted;
        } else if !quoted && let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| delimiter == byte)
        {
            *count += 1;
        }
    }
    // The first of equals: max_by_key alone would take the last.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}

/// The columns of a file.
struct Columns {
    names: Vec<String>,
    phone: usize,
}

/// A header as templates name it: `First Name` is `first_name`.
fn column_name(header: &str) -> String {
    let mut name = String::with_capacity(header.len());
    for c in header.trim().chars() {
        if c.is_alphanumeric() {
            name.extend(c.to_lowercase());
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    name.trim_end_matches('_').to_owned()
}

impl Columns {
    fn read(header: &ByteRecord, phone_column: &str) -> Result<Self> {
        if header.len() > COLUMNS_MAX {
            return Err(Error::invalid("chunk", format!("the header has more than {COLUMNS_MAX} columns")));
        }
        let names: Vec<String> = header.iter().map(|cell| column_name(&text(cell))).collect();
        let twice = names
            .iter()
            .enumerate()
            .find(|(at, name)| !name.is_empty() && names.iter().take(*at).any(|earlier| earlier == *name));
        if let Some((_, name)) = twice {
            return Err(Error::invalid("chunk", format!("the header has the column {name} twice")));
        }
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let phone = if phone_column.is_empty() {
            PHONE_COLUMNS.into_iter().find_map(find)
        } else {
            find(&column_name(phone_column))
        };
        let Some(phone) = phone else {
            let message = format!("no column of phone numbers; the header has {}", names.join(", "));
            return Err(Error::invalid("start.phone_number_column", message));
        };
        Ok(Self { names, phone })
    }
}

/// A cell as text: UTF-8 where it is, and otherwise what Windows programs write. Both may stand in one file.
fn text(cell: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(cell) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(cell).0,
    }
}

fn row(record: &ByteRecord, columns: &Columns, line: i64) -> Result<Parsed> {
    let place = Place { line, content: content(record) };
    let rejected = |reason| {
        Ok(Parsed::Rejected { place: Place { line: place.line, content: place.content.clone() }, reason })
    };
    if record.as_slice().len() > ROW_BYTES_MAX {
        return rejected("TOO_LONG_A_ROW");
    }
    if record.len() > columns.names.len() {
        return rejected("TOO_MANY_CELLS");
    }
    let cell = text(record.get(columns.phone).unwrap_or_default());
    if cell.trim().is_empty() {
        return rejected("NO_PHONE_NUMBER");
    }
    match PhoneNumber::parse(&cell) {
        Ok(phone) => {
            let phone = phone.as_e164().to_owned();
            Ok(Parsed::Contact { place, phone, fields: fields(record, columns) })
        }
        Err(error) => rejected(error.reason()),
    }
}

/// All cells but the phone number, by column; empty ones are left out.
fn fields(record: &ByteRecord, columns: &Columns) -> Fields {
    let named = columns.names.iter().zip(record.iter()).enumerate();
    named
        .filter(|(at, (name, _))| *at != columns.phone && !name.is_empty())
        .map(|(_, (name, cell))| (name, text(cell)))
        .filter(|(_, value)| !value.trim().is_empty())
        // PostgreSQL keeps no NUL in a text.
        .map(|(name, value)| (name.clone(), value.trim().replace('\0', "")))
        .collect()
}

/// The row for people to read, cut.
fn content(record: &ByteRecord) -> String {
    let mut content = String::new();
    for (at, cell) in record.iter().enumerate() {
        if at > 0 {
            content.push(',');
        }
        content.extend(text(cell).chars().filter(|c| *c != '\0').take(KEPT_CHARS_MAX));
        if content.len() > KEPT_CHARS_MAX * 4 {
            break;
        }
    }
    content.chars().take(KEPT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = std::result::Result<(String, String), (i64, &'static str)>;

    /// The rows of `file`: the phone number and first name, or the line and reason.
    fn read(file: &[u8], phone_column: &str) -> Vec<Read> {
        let rows = parse(file, phone_column).expect("the header is fine");
        rows.map(|row| match row.expect("a row") {
            Parsed::Contact { phone, fields, .. } => {
                Ok((phone, fields.get("first_name").cloned().unwrap_or_default()))
            }
            Parsed::Rejected { place, reason } => Err((place.line, reason)),
        })
        .collect()
    }

    #[test]
    fn a_messy_file_is_read_row_by_row() {
        let file = b"\xef\xbb\xbfFirst Name;Cell Phone;Notes\r\n\
            Zo\xc3\xab;(212) 555-2368;\"says \"\"hi\"\"; twice\nand more\"\r\n\
            Jos\xe9;1-415-555-2671\r\n\
            Nobody;;\r\n\
            Sheet;4.15556E+09;\r\n\
            Wide;2125552369;a;b\r\n";
        assert_eq!(
            read(file, ""),
            [
                Ok(("+12125552368".to_owned(), "Zo\u{eb}".to_owned())),
                Ok(("+14155552671".to_owned(), "Jos\u{e9}".to_owned())),
                Err((5, "NO_PHONE_NUMBER")),
                Err((6, "SPREADSHEET_NOTATION")),
                Err((7, "TOO_MANY_CELLS")),
            ]
        );
    }

    /// The lines of the rows that are rejected, which is all of them.
    fn lines(file: &[u8]) -> Vec<i64> {
        read(file, "").into_iter().map(|row| row.expect_err("a rejected row").0).collect()
    }

    #[test]
    fn a_row_is_on_the_line_where_an_editor_shows_it() {
        assert_eq!(lines(b"phone,name\n\n\n1,a\n\n2,b\n"), [4, 6]);
        assert_eq!(lines(b"phone,name\r\n\r\n\r\n1,a\r\n\r\n2,b\r\n3,c"), [4, 6, 7]);
        // Each program that touched a file may have ended lines in its own way.
        assert_eq!(lines(b"phone,name\n1,a\r\n2,b\n\r\n\n3,c\r\n4,d\n"), [2, 3, 6, 7]);
        let cells_of_several_lines = b"phone,name\r\n1,\"a\r\n\r\nb\"\r\n\r\n2,\"\nc\n\"\n3,d\n\n";
        assert_eq!(lines(cells_of_several_lines), [2, 6, 9]);
        assert_eq!(lines(b"phone,name\n\n1,\"open\nto the\nend\n"), [3]);
    }

    #[test]
    fn a_row_is_on_its_line_far_into_a_file_too() {
        let mut file = b"phone,name\n".to_vec();
        let mut wanted = Vec::new();
        let mut line = 2;
        for row in 0..20_000 {
            let empty = row % 3;
            file.extend(std::iter::repeat_n(b'\n', empty));
            wanted.push(line + i64::try_from(empty).expect("small"));
            file.extend_from_slice(b"1,\"two\nlines\"\n");
            line = wanted.last().expect("one") + 2;
        }
        assert_eq!(lines(&file), wanted);
    }

    #[test]
    fn the_column_of_phone_numbers_can_be_named() {
        let file = b"phone\thandy\n2125552368\t4155552671\n";
        assert_eq!(read(file, "Handy"), [Ok(("+14155552671".to_owned(), String::new()))]);
        assert_eq!(read(file, ""), [Ok(("+12125552368".to_owned(), String::new()))]);
    }

    #[test]
    fn a_file_that_is_no_csv_is_refused_with_a_reason() {
        for file in [&b""[..], b"\n1\n", b"\xff\xfep\0h\0", b"name,city\nx,y\n", b"phone,phone\n1,2\n"] {
            assert!(parse(file, "").is_err(), "{file:?}");
        }
    }
}
