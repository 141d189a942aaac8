//! What a medium is, by its bytes. What its host says counts for plain text alone, which has no bytes of its own to know it
//! by. Nothing that a browser would run is kept.

/// The types that are kept, as they are known by their first bytes.
const KEPT: [&str; 24] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/heif",
    "image/avif",
    "image/bmp",
    "image/tiff",
    "audio/mpeg",
    "audio/m4a",
    "audio/ogg",
    "audio/opus",
    "audio/amr",
    "audio/aac",
    "audio/x-wav",
    "audio/x-flac",
    "audio/midi",
    "video/mp4",
    "video/x-m4v",
    "video/quicktime",
    "video/webm",
    "video/mpeg",
    "video/3gpp",
    "application/pdf",
];
const CARD: &str = "text/vcard";
const TEXT: &str = "text/plain";

/// The type of `body`, whose host says that it is `told`. `None`: it is not kept.
pub(super) fn of(body: &[u8], told: Option<&str>) -> Option<&'static str> {
    if is_3gpp(body) {
        return Some("video/3gpp");
    }
    if let Some(known) = infer::get(body) {
        return KEPT.into_iter().find(|kept| *kept == known.mime_type());
    }
    let text = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim_start();
    let shown = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    if text.is_empty() || text.starts_with('<') || !text.chars().all(shown) {
        return None;
    }
    if text.get(..11).is_some_and(|begin| begin.eq_ignore_ascii_case("BEGIN:VCARD")) {
        return Some(CARD);
    }
    let told = told?.split(';').next()?.trim();
    told.eq_ignore_ascii_case(TEXT).then_some(TEXT)
}

/// What phones film: the form of MP4, under brands of its own.
fn is_3gpp(body: &[u8]) -> bool {
    body.get(4..8) == Some(b"ftyp") && body.get(8..10) == Some(b"3g")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn what_is_kept_is_known_by_its_bytes() {
        let kept: [(&[u8], &str); 12] = [
            (PNG, "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
            (b"GIF89a\x01\0\x01\0", "image/gif"),
            (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
            (b"#!AMR\n\x3c\x91", "audio/amr"),
            (b"ID3\x03\0\0\0", "audio/mpeg"),
            (b"OggS\0\x02\0\0", "audio/ogg"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4"),
            (b"\0\0\0\x18ftyp3gp4\0\0\0\0", "video/3gpp"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nEND:VCARD\r\n", CARD),
        ];
        for (body, kind) in kept {
            for told in [None, Some("text/html"), Some("image/png"), Some(TEXT)] {
                assert_eq!(of(body, told), Some(kind));
            }
        }
        assert_eq!(of(b"See you on Tuesday!", Some("text/plain; charset=utf-8")), Some(TEXT));
    }

    #[test]
    fn what_a_browser_would_run_is_not_kept_whatever_its_host_says() {
        let others: [&[u8]; 14] = [
            b"",
            b"   \n",
            b"<!DOCTYPE html><script>alert(1)</script>",
            b"\n\n  <html>",
            b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            b"<?xml version='1.0'?><x/>",
            b"<smil><body/></smil>",
            b"<!-- a picture --><script src=x>",
            b"#!/bin/sh\nrm -rf /\0",
            b"MZ\x90\0\x03\0\0\0",
            b"\x7fELF\x02\x01\x01\0",
            b"PK\x03\x04\x14\0\0\0\x08\0",
            b"FWS\x09\0\0",
            b"\x1f\x8b\x08\0",
        ];
        for body in others {
            for told in ["image/png", "text/plain", "text/html", "application/octet-stream"] {
                assert_eq!(of(body, Some(told)), None, "{:?} as {told}", String::from_utf8_lossy(body));
            }
        }
        for told in [None, Some("image/png"), Some("text/html"), Some("text/javascript"), Some("")] {
            assert_eq!(of(b"alert(1)", told), None, "{told:?}");
        }
    }
}
