//! Requests that ask, and what answers to them share.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;

use crate::refusal::{Code, unanswered};
use crate::{Finding, Unanswered};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// A request without a body.
pub(crate) fn bodiless(
    method: Method,
    url: String,
    authorization: HeaderValue,
) -> Result<Request<Bytes>, http::Error> {
    Request::builder().method(method).uri(url).header(AUTHORIZATION, authorization).body(Bytes::new())
}

/// A `GET`.
pub(crate) fn get(url: String, authorization: HeaderValue) -> Result<Request<Bytes>, http::Error> {
    bodiless(Method::GET, url, authorization)
}

/// A `POST` of a body of this type.
pub(crate) fn post(
    url: String,
    authorization: HeaderValue,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Result<Request<Bytes>, http::Error> {
    Request::post(url)
        .header(CONTENT_TYPE, content_type)
        .header(AUTHORIZATION, authorization)
        .body(body.into())
}

/// `url` with a query of these names and values, escaped.
pub(crate) fn with_query(url: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{url}?{query}")
}

/// One segment of a path, escaped.
pub(crate) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The answer of a question about a phone or our numbers, read; `code` reads the provider's code in a refusal.
pub(crate) fn read<'a, T: Deserialize<'a>>(
    status: StatusCode,
    headers: &HeaderMap,
    body: &'a [u8],
    code: impl Fn(&[u8]) -> Option<Code>,
) -> Result<T, Unanswered> {
    // All of them answer with an object. A list would be read as one, too, with its fields by their places.
    let object = status.is_success() && body.trim_ascii_start().starts_with(b"{");
    let read = object.then(|| serde_json::from_slice(body).ok()).flatten();
    read.ok_or_else(|| unanswered(status, headers, code(body)))
}

/// The answer to an inquiry, read; else what follows from there being none.
pub(crate) fn read_inquiry<'a, T: Deserialize<'a>>(status: StatusCode, body: &'a [u8]) -> Result<T, Finding> {
    match status {
        StatusCode::NOT_FOUND => Err(Finding::NotFound),
        _ if status.is_success() => serde_json::from_slice(body).map_err(|_| Finding::Unclear),
        _ => Err(Finding::Unclear),
    }
}
