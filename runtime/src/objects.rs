//! The object store, where media of replies are kept: a folder, or a bucket of S3 or of what speaks as it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// How long the store may take to begin an answer, its own tries included.
const WITHIN: Duration = Duration::from_secs(20);

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It has no such object.
    #[error("the store has no such object")]
    Missing,
    /// It did not answer in time.
    #[error("the store did not answer in time")]
    Late,
    /// It failed, or could not be reached.
    #[error("the store failed, or could not be reached")]
    Away(#[source] object_store::Error),
}

impl From<object_store::Error> for Failed {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) { Self::Missing } else { Self::Away(error) }
    }
}

/// Objects by their keys.
#[derive(Clone, Debug)]
pub struct Objects(Arc<dyn ObjectStore>);

impl Objects {
    /// The store at `store`: the path of a folder, which is made where there is none, or `s3://bucket/prefix`. `options`
    /// are those of S3, by the names that `object_store` has for them, such as `region`.
    ///
    /// # Errors
    /// Where it is neither, the folder cannot be made, or an option is none.
    pub fn open(store: &str, options: &BTreeMap<String, SecretString>) -> anyhow::Result<Self> {
        ensure!(!store.is_empty(), "media.store is empty");
        if store.contains("://") {
            return Self::bucket(store, options).context("media.store");
        }
        ensure!(options.is_empty(), "media.store is a folder, which has no media.store_options");
        let folder = || format!("media.store, which is the folder {store}");
        std::fs::create_dir_all(store).with_context(folder)?;
        let files = LocalFileSystem::new_with_prefix(store).with_context(folder)?;
        Ok(Self(Arc::new(files.with_fsync(true).with_automatic_cleanup(true))))
    }

    fn bucket(store: &str, options: &BTreeMap<String, SecretString>) -> anyhow::Result<Self> {
        let url = Url::parse(store)?;
        ensure!(url.scheme() == "s3", "it is neither a folder nor s3://bucket/prefix");
        let retry = RetryConfig { max_retries: 2, retry_timeout: WITHIN, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new().with_url(store).with_retry(retry);
        for (name, value) in options {
            let key: AmazonS3ConfigKey = name.parse().with_context(|| format!("store_options.{name}"))?;
            builder = builder.with_config(key, value.expose_secret());
        }
        let bucket = builder.build()?;
        let prefix = Path::from_url_path(url.path())?;
        Ok(Self(Arc::new(PrefixStore::new(bucket, prefix))))
    }

    /// Stores an object. Stored again, it is what it was stored as last.
    ///
    /// # Errors
    /// Where the store did not take it, or did not say so.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<(), Failed> {
        within(self.0.put(&Path::from(key), body.into())).await?;
        Ok(())
    }

    /// An object, piece by piece.
    ///
    /// # Errors
    /// Where the store does not have it, or does not answer.
    pub async fn get(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes, Failed>>, Failed> {
        let found = within(self.0.get(&Path::from(key))).await?;
        Ok(Box::pin(found.into_stream().map_err(Failed::from)))
    }

    /// Deletes an object. One that is not there is deleted.
    ///
    /// # Errors
    /// Where the store did not delete it, or did not say so.
    pub async fn delete(&self, key: &str) -> Result<(), Failed> {
        match within(self.0.delete(&Path::from(key))).await {
            Ok(()) | Err(Failed::Missing) => Ok(()),
            Err(error @ (Failed::Late | Failed::Away(_))) => Err(error),
        }
    }
}

async fn within<T>(answer: impl Future<Output = object_store::Result<T>>) -> Result<T, Failed> {
    Ok(tokio::time::timeout(WITHIN, answer).await.map_err(|_elapsed| Failed::Late)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_keeps_objects_until_they_are_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("not/there/yet");
        let objects = Objects::open(store.to_str().expect("a path"), &BTreeMap::new()).expect("a store");
        objects.put("tenant/key", Bytes::from_static(b"first")).await.expect("stored");
        objects.put("tenant/key", Bytes::from_static(b"second")).await.expect("stored again");
        let pieces: Vec<Bytes> =
            objects.get("tenant/key").await.expect("there").try_collect().await.expect("whole");
        assert_eq!(pieces.concat(), b"second");
        for _ in 0..2 {
            objects.delete("tenant/key").await.expect("deleted");
        }
        assert!(matches!(objects.get("tenant/key").await.err(), Some(Failed::Missing)));
        assert_eq!(std::fs::read_dir(&store).expect("a folder").count(), 0, "a tenant's folder is left");
    }

    #[test]
    fn a_store_is_a_folder_or_a_bucket() {
        let options = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect()
        };
        let region =
            options(&[("region", "us-east-1"), ("access_key_id", "id"), ("secret_access_key", "secret")]);
        assert!(Objects::open("s3://bucket/some/where", &region).is_ok());
        assert!(Objects::open("s3://bucket", &options(&[("regoin", "us-east-1")])).is_err());
        for wrong in ["", "gs://bucket", "https://example.com/", "s3://"] {
            assert!(Objects::open(wrong, &options(&[])).is_err(), "{wrong}");
        }
        assert!(Objects::open("folder", &region).is_err());
    }
}
