//! What the control-plane does with settings that are not its own.

use anyhow::{Result, ensure};
use muster_tests::binaries;

/// What the control-plane needs beside its keys; nothing of it is there.
const OTHERS: [(&str, &str); 10] = [
    ("MUSTER_DATABASE__APP_URL", "postgres://muster_app@127.0.0.1:1/muster"),
    ("MUSTER_DATABASE__SYSTEM_URL", "postgres://muster_system@127.0.0.1:1/muster"),
    ("MUSTER_NATS__URL", "nats://127.0.0.1:1"),
    ("MUSTER_API__LISTEN", "127.0.0.1:0"),
    ("MUSTER_INTERNAL__LISTEN", "127.0.0.1:0"),
    ("MUSTER_INTERNAL__TLS__CERTIFICATE", "control-plane.crt"),
    ("MUSTER_INTERNAL__TLS__KEY", "control-plane.key"),
    ("MUSTER_INTERNAL__TLS__CLIENT_CA", "ca.crt"),
    ("MUSTER_PUBLIC_BASE_URL", "http://127.0.0.1:1"),
    ("MUSTER_MEDIA__STORE", "s3://muster"),
];

/// Runs the control-plane with these settings and no others, and gives what it said when it had failed.
async fn said(subcommand: &str, settings: &[(&str, &str)]) -> Result<String> {
    let program = &binaries::binaries().await?.control_plane;
    let mut command = tokio::process::Command::new(program);
    let ended = command.arg(subcommand).env_clear().envs(settings.iter().copied()).output().await?;
    ensure!(!ended.status.success(), "it ran with {settings:?}");
    Ok(String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[tokio::test]
async fn a_misspelt_setting_is_refused_and_so_is_the_owner_of_the_schema() -> Result<()> {
    let misspelt = said("serve", &[("MUSTER_CLAIM_DEADLINE", "60")]).await?;
    ensure!(misspelt.contains("unknown field") && misspelt.contains("claim_deadline"), "{misspelt}");
    let owner =
        said("serve", &[("MUSTER_DATABASE__OWNER_URL", "postgres://owner:hunter2@db/muster")]).await?;
    ensure!(owner.contains("owner_url") && !owner.contains("hunter2"), "{owner}");
    Ok(())
}

#[tokio::test]
async fn a_migration_passes_over_what_the_service_is_told() -> Result<()> {
    let settings = [
        ("MUSTER_DATABASE__OWNER_URL", "postgres://owner@127.0.0.1:1/muster"),
        ("MUSTER_DATABASE__APP_URL", "postgres://muster_app@127.0.0.1:1/muster"),
        ("MUSTER_NATS__URL", "nats://127.0.0.1:1"),
        ("MUSTER_THREADS", "2"),
    ];
    let unreachable = said("migrate", &settings).await?;
    ensure!(unreachable.contains("no connection to PostgreSQL"), "{unreachable}");
    let nothing = said("migrate", &[("MUSTER_DATABASE__OWNERURL", "x")]).await?;
    ensure!(nothing.contains("missing field") && nothing.contains("owner_url"), "{nothing}");
    Ok(())
}

#[tokio::test]
async fn without_a_usable_kek_the_control_plane_does_not_start_and_says_why() -> Result<()> {
    let key = [("MUSTER_OPERATOR_KEY", "operator-key-for-local-use-only")];
    let current = ("MUSTER_KEK__CURRENT", "k1");
    let refusals: [(&[(&str, &str)], &str); 5] = [
        (&[], "missing field `kek`"),
        (&[current], "kek.current is `k1`, and neither kek.keys nor kek.folder has a key of that id"),
        (&[current, ("MUSTER_KEK__KEYS__K1", "aHVudGVyMg==")], "kek.keys.k1 must hold 32 bytes in base64"),
        // The key where the table of keys should be.
        (&[current, ("MUSTER_KEK__KEYS", "aHVudGVyMg==")], "must hold a key for each id"),
        (&[current, ("MUSTER_KEK__FOLDER", "nowhere")], "kek.folder, nowhere"),
    ];
    for (kek, why) in refusals {
        for command in ["serve", "rewrap-secrets"] {
            let said = said(command, &[&OTHERS[..], &key, kek].concat()).await?;
            ensure!(said.contains(why) && !said.contains("aHVudGVyMg"), "{command} with {kek:?}: {said}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_key_of_the_operator_that_could_be_guessed_is_refused() -> Result<()> {
    for key in ["", "short", "long-enough.but.like-a-token"] {
        let said = said(
            "serve",
            &[&OTHERS[..], &[("MUSTER_KEK__CURRENT", "k1"), ("MUSTER_OPERATOR_KEY", key)]].concat(),
        )
        .await?;
        ensure!(said.contains("operator_key must have") && !said.contains("enough"), "{key}: {said}");
    }
    Ok(())
}
