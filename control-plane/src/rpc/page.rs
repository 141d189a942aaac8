//! Pages of lists (AIP-158): sizes, and opaque tokens that fit only the request they came from.

use std::cmp::Reverse;

use muster_runtime::key::KeyHash;
use muster_runtime::{Error, Result};
use uuid::Uuid;

use crate::db::Micros;
use crate::store::Page;
use crate::store::conversations::Moment;

const SIZE_DEFAULT: i64 = 50;
const SIZE_MAX: i64 = 1_000;
/// The last second of the year 9999.
const END_OF_TIME_US: i64 = 253_402_300_799_000_000;

/// A request for one page.
pub(super) struct Request<'a> {
    pub(super) size: i32,
    pub(super) token: &'a str,
    /// Everything else in the request that decides what is listed.
    pub(super) scope: String,
}

/// A key that pages are ordered by.
pub(super) trait Key: Sized {
    /// The key before all others.
    fn first() -> Self;
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl Key for Uuid {
    fn first() -> Self {
        Self::nil()
    }
    fn write(&self) -> String {
        self.simple().to_string()
    }
    fn read(text: &str) -> Option<Self> {
        Self::try_parse(text).ok()
    }
}

impl Key for i64 {
    fn first() -> Self {
        0
    }
    fn write(&self) -> String {
        self.to_string()
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Key for String {
    fn first() -> Self {
        Self::new()
    }
    fn write(&self) -> String {
        self.clone()
    }
    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Key for Moment {
    fn first() -> Self {
        Self(Micros(0), Uuid::nil())
    }
    fn write(&self) -> String {
        let Self(time, id) = self;
        format!("{}-{}", time.0, id.simple())
    }
    fn read(text: &str) -> Option<Self> {
        let (time, id) = text.split_once('-')?;
        Some(Self(Micros(time.parse().ok()?), Uuid::try_parse(id).ok()?))
    }
}

/// From the newest back.
impl Key for Reverse<Moment> {
    fn first() -> Self {
        Self(Moment(Micros(END_OF_TIME_US), Uuid::max()))
    }
    fn write(&self) -> String {
        self.0.write()
    }
    fn read(text: &str) -> Option<Self> {
        Moment::read(text).map(Self)
    }
}

impl Request<'_> {
    /// The page to ask the store for: one row more than the caller gets, to know whether there is another page.
    pub(super) fn page<K: Key>(&self) -> Result<Page<K>> {
        let limit = match i64::from(self.size) {
            size if size < 0 => return Err(Error::invalid("page_size", "must not be negative")),
            0 => SIZE_DEFAULT,
            size => size.min(SIZE_MAX),
        };
        Ok(Page { after: self.after()?, limit: limit + 1 })
    }

    fn after<K: Key>(&self) -> Result<K> {
        if self.token.is_empty() {
            return Ok(K::first());
        }
        let wrong = || Error::invalid("page_token", "is not one that this list gave for this request");
        let (seal, key) = self.token.split_once('.').ok_or_else(wrong)?;
        if seal != self.seal(key) {
            return Err(wrong());
        }
        K::read(key).ok_or_else(wrong)
    }

    /// Cuts the rows to the page, and says where the next one begins.
    pub(super) fn finish<T, K: Key>(
        &self,
        rows: &mut Vec<T>,
        page: &Page<K>,
        key: impl Fn(&T) -> K,
    ) -> String {
        let size = usize::try_from(page.limit - 1).unwrap_or(0);
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last().map_or_else(String::new, |last| self.token_after(&key(last)))
    }

    /// The token of the page that begins after `key`.
    pub(super) fn token_after(&self, key: &impl Key) -> String {
        let key = key.write();
        format!("{}.{key}", self.seal(&key))
    }

    /// Binds a key to the request: a token for one list is refused by another.
    fn seal(&self, key: &str) -> String {
        let KeyHash([a, b, c, d, ..]) = KeyHash::of(&format!("{}\n{key}", self.scope));
        format!("{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_and_fits_only_its_own_list() {
        let request = |size, token, scope: &str| Request { size, token, scope: scope.to_owned() };
        let first = request(2, "", "lists of a");
        let page: Page<Uuid> = first.page().expect("a first page");
        let mut rows: Vec<u128> = vec![1, 2, 3];
        let token = first.finish(&mut rows, &page, |row| Uuid::from_u128(*row));
        assert_eq!(rows, [1, 2]);
        let next: Page<Uuid> = request(2, &token, "lists of a").page().expect("the next page");
        assert_eq!(next.after, Uuid::from_u128(2));
        assert!(request(2, &token, "lists of b").page::<Uuid>().is_err());
        assert!(request(2, "no token", "lists of a").page::<Uuid>().is_err());
        assert!(request(-1, "", "lists of a").page::<Uuid>().is_err());
        let mut last: Vec<u128> = vec![3];
        assert_eq!(first.finish(&mut last, &page, |row| Uuid::from_u128(*row)), "");
    }
}
