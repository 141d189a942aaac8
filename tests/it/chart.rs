//! The configuration files that the Helm chart writes (helm/checks/rendered, which `.ci/run chart` holds to the chart) are
//! ones that the services read: they get as far as the files that only a pod has, or as NATS.

use std::path::Path;

use anyhow::{Result, ensure};
use muster_tests::binaries;

/// What the chart takes from secrets.
const FROM_SECRETS: [(&str, &str); 4] = [
    ("MUSTER_DATABASE__APP_URL", "postgres://muster_app@127.0.0.1:1/muster"),
    ("MUSTER_DATABASE__SYSTEM_URL", "postgres://muster_system@127.0.0.1:1/muster"),
    ("MUSTER_OPERATOR_KEY", "operator-key-for-local-use-only"),
    ("MUSTER_NATS__URL", "tls://127.0.0.1:1"),
];

/// What a service says when it has read its configuration of `case` and ends, because what that names is not here.
async fn said(case: &str, program: &Path, secrets: &[(&str, &str)]) -> Result<String> {
    let service = program.file_name().unwrap_or_default().to_string_lossy();
    let service = service.trim_start_matches("muster-");
    let rendered = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/checks/rendered");
    let config = rendered.join(case).join(format!("{service}.toml"));
    let mut command = tokio::process::Command::new(program);
    command.env_clear().env("MUSTER_CONFIG", config).envs(secrets.iter().copied());
    let ended = command.output().await?;
    ensure!(!ended.status.success(), "{service} ran with {case}");
    Ok(String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[tokio::test]
async fn services_read_what_the_chart_writes() -> Result<()> {
    let programs = binaries::binaries().await?;
    let control_plane = (programs.control_plane.as_path(), &FROM_SECRETS[..]);
    // The others are told of NATS alone.
    let others = [programs.sender_node.as_path(), programs.gateway.as_path()];
    let services = [control_plane].into_iter().chain(others.map(|other| (other, &FROM_SECRETS[3..])));
    for (program, secrets) in services {
        for case in ["minimal", "everything"] {
            let said = said(case, program, secrets).await?;
            let further =
                ["/etc/muster/", "/etc/ca/", "cannot reach NATS"].iter().any(|what| said.contains(what));
            let refused =
                ["unknown field", "missing field", "invalid type"].iter().any(|why| said.contains(why));
            ensure!(further && !refused, "{} with {case}: {said}", program.display());
        }
    }
    Ok(())
}
