//! Compiles the protos with protox, so that no protoc has to be installed, and keeps their descriptors for
//! server reflection.

use std::path::PathBuf;

/// Every proto file of ours; third-party ones come in by import.
const FILES: &[&str] = &[
    "muster/internal/v1/inquiries.proto",
    "muster/internal/v1/media.proto",
    "muster/v1/access.proto",
    "muster/v1/api_keys.proto",
    "muster/v1/audit.proto",
    "muster/v1/campaigns.proto",
    "muster/v1/contact_lists.proto",
    "muster/v1/conversations.proto",
    "muster/v1/events.proto",
    "muster/v1/members.proto",
    "muster/v1/messages.proto",
    "muster/v1/numbers.proto",
    "muster/v1/provider_accounts.proto",
    "muster/v1/roles.proto",
    "muster/v1/routes.proto",
    "muster/v1/tenants.proto",
    "muster/v1/texting.proto",
    "muster/internal/v1/claims.proto",
    "muster/internal/v1/directory.proto",
    "muster/internal/v1/frames.proto",
];

/// Messages with secrets in them, which must not be printed: src/redacted.rs says how they print.
const WITH_SECRETS: &[&str] = &[
    ".muster.v1.ProviderAccount",
    ".muster.internal.v1.Account",
    ".muster.internal.v1.GetWebhookAccountRequest",
    ".muster.internal.v1.Medium",
];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script where to write by the environment")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=muster");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let public = FILES.iter().copied().filter(|file| file.starts_with("muster/v1/"));
    // Not through prost's types: they do not know every option of a field, and would lose which ones are secret.
    let mut public_files = protox::Compiler::new(["."])?;
    public_files.include_imports(true).include_source_info(true).open_files(public)?;
    std::fs::write(out.join("public.binpb"), public_files.encode_file_descriptor_set())?;
    let mut prost = tonic_prost_build::Config::new();
    prost.enable_type_names();
    tonic_prost_build::configure()
        .bytes(".muster.internal.v1")
        .skip_debug(WITH_SECRETS)
        .compile_fds_with_config(protox::compile(FILES, ["."])?, prost)?;
    Ok(())
}
