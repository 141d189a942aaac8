//! The envelope: a value sealed with a data key of its own, and that key beside it, wrapped.
//!
//! Every sealing draws a new data key. Wrapping that key again leaves the sealed value as it is, so the KEK can be
//! rotated without a secret being opened. Both layers are bound to a context, the name of what the value belongs to.

use super::aead::{Key, OVERHEAD_BYTES, Refused};
use super::kek::{self, KeyWrapper};
use super::{DataKey, Error};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

/// The layout: this byte, the length of the wrapped key in two bytes, the wrapped key, and the sealed value.
const VERSION: u8 = 1;

/// A value as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The id of the KEK that its data key is wrapped under.
    pub(crate) kek_id: String,
    /// The wrapped data key and the sealed value. No two sealings have the same bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Seals `plain` with a new data key.
pub(super) async fn seal(keys: &dyn KeyWrapper, context: &str, plain: &[u8]) -> Result<Sealed, Error> {
    let key = kek::data_key()?;
    let value = cipher(&key)?.seal(context, plain).map_err(|Refused| Error::Cipher)?;
    wrapped(keys, context, &key, &value).await
}

/// Opens a value.
pub(super) async fn open(
    keys: &dyn KeyWrapper,
    context: &str,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (wrapped, value) = split(&sealed.bytes).ok_or(Error::Form)?;
    let key = keys.unwrap(&sealed.kek_id, wrapped, context).await?;
    cipher(&key)?.open(context, value).map_err(|Refused| Error::Changed)
}

/// The same sealed value, with its data key under the current KEK.
pub(super) async fn rewrap(keys: &dyn KeyWrapper, context: &str, sealed: &Sealed) -> Result<Sealed, Error> {
    let (old, value) = split(&sealed.bytes).ok_or(Error::Form)?;
    let key = keys.unwrap(&sealed.kek_id, old, context).await?;
    wrapped(keys, context, &key, value).await
}

async fn wrapped(keys: &dyn KeyWrapper, context: &str, key: &DataKey, value: &[u8]) -> Result<Sealed, Error> {
    let wrapped = keys.wrap(key, context).await?;
    let length = u16::try_from(wrapped.len()).map_err(|_| Error::Cipher)?;
    let bytes = [&[VERSION][..], &length.to_be_bytes(), &wrapped, value].concat();
    Ok(Sealed { kek_id: keys.current().to_owned(), bytes })
}

/// The wrapped key and the sealed value.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([VERSION, high, low], rest) = bytes.split_first_chunk()? else { return None };
    let parts = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    (parts.1.len() >= OVERHEAD_BYTES).then_some(parts)
}

fn cipher(key: &DataKey) -> Result<Key, Error> {
    Key::new(key.expose_secret()).map_err(|Refused| Error::Cipher)
}
