//! Cells and rows of a CSV file as different programs write them.

/// Appends a row; cells are quoted where they must be.
pub(crate) fn push_row(file: &mut Vec<u8>, cells: &[Cell<'_>]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            file.push(b',');
        }
        cell.push(file);
    }
    file.extend_from_slice(b"\r\n");
}

/// One cell, and how its program encoded it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Utf8(&'a str),
    /// As UTF-8 where the text has characters that Windows-1252 lacks.
    Windows1252(&'a str),
    /// As it stands: `="..."` is no valid quoting, and Excel writes it all the same.
    Raw(&'a str),
}

impl Cell<'_> {
    fn push(self, file: &mut Vec<u8>) {
        match self {
            Self::Utf8(text) => file.extend_from_slice(quoted(text).as_bytes()),
            Self::Windows1252(text) => {
                let text = quoted(text);
                let bytes: Option<Vec<u8>> = text.chars().map(windows_1252).collect();
                file.extend_from_slice(bytes.as_deref().unwrap_or(text.as_bytes()));
            }
            Self::Raw(text) => file.extend_from_slice(text.as_bytes()),
        }
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', ';', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn windows_1252(c: char) -> Option<u8> {
    match c {
        '\u{2019}' => Some(0x92),
        '\0'..='\u{7f}' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(c)).ok(),
        _ => None,
    }
}
