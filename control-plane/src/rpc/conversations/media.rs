//! Reading a medium of a reply out of the store.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use muster_proto::v1::ReadReplyMediaResponse;
use muster_runtime::access::Caller;
use muster_runtime::objects::Failed;
use muster_runtime::{Error, Result, name};
use tonic::Status;

use super::own_only;
use super::replies::{REPLY_MEDIUM, encode_medium};
use crate::db::TenantTx;
use crate::rpc::Api;
use crate::store::media::{MediaState, Medium, medium_get};

impl Api {
    /// What it is, and then its bytes.
    pub(super) async fn read_medium(
        &self,
        caller: Caller,
        text: &str,
    ) -> Result<BoxStream<'static, Result<ReadReplyMediaResponse, Status>>> {
        let [tenant, reply, id] = name::parse(REPLY_MEDIUM, text, "name")?;
        let tenant = caller.tenant(tenant, text)?;
        let medium = {
            let mut client = self.db.app().await?;
            let tx = TenantTx::begin(&mut client, tenant).await?;
            medium_get(&tx, reply, id, own_only(caller).as_deref()).await?
        };
        let medium = medium.ok_or_else(|| Error::not_found(text))?;
        if medium.state != MediaState::Stored as i16 {
            return Err(Error::precondition(
                "MEDIA_NOT_STORED",
                "the medium is not stored; its reply says why",
            ));
        }
        let bytes = self.objects.get(&medium.object_key).await.map_err(failed)?;
        let first = ReadReplyMediaResponse { media: Some(encode_medium(tenant, &medium)), chunk: Vec::new() };
        let chunks =
            whole(bytes, &medium).map_ok(|chunk| ReadReplyMediaResponse { media: None, chunk: chunk.into() });
        Ok(stream::once(async { Ok(first) }).chain(chunks.map_err(Status::from)).boxed())
    }
}

/// The bytes; an error where there are others than were stored.
fn whole(
    bytes: BoxStream<'static, Result<Bytes, Failed>>,
    medium: &Medium,
) -> BoxStream<'static, Result<Bytes>> {
    let mut left = medium.size_bytes;
    let end = stream::once(async { Ok(Bytes::new()) });
    let ended = bytes.map_err(failed).chain(end).map(move |piece| {
        let piece = piece?;
        left -= i64::try_from(piece.len()).unwrap_or(i64::MAX);
        // The last piece is ours, and empty.
        if left < 0 || (piece.is_empty() && left > 0) {
            return Err(Error::internal("an object has another size than was stored"));
        }
        Ok(piece)
    });
    ended.try_filter(|piece| std::future::ready(!piece.is_empty())).boxed()
}

fn failed(error: Failed) -> Error {
    match error {
        Failed::Missing => Error::internal("an object is missing that was stored"),
        Failed::Late | Failed::Away(_) => Error::unavailable(error),
    }
}
