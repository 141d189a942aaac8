//! The API and what crosses JetStream, as generated code. The `.proto` files beside it are the source; every
//! rpc and field is explained there.

/// The public API, package `muster.v1`.
#[expect(
    clippy::allow_attributes_without_reason,
    clippy::disallowed_methods,
    reason = "generated code allows what it must, and speaks of failures in its own way"
)]
pub mod v1 {
    tonic::include_proto!("muster.v1");
}

/// What only Muster's own processes say to each other, package `muster.internal.v1`.
pub mod internal {
    /// Claims, the directory, and the frames on JetStream.
    #[expect(
        clippy::allow_attributes_without_reason,
        clippy::disallowed_methods,
        reason = "generated code allows what it must, and speaks of failures in its own way"
    )]
    pub mod v1 {
        tonic::include_proto!("muster.internal.v1");
    }
}

mod redacted;

/// The descriptors of the public API, for server reflection.
pub const PUBLIC_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/public.binpb"));
