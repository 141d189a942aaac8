//! What fails says why, what to do, and with which exit code.

use anyhow::{Result, ensure};
use muster_proto::v1::Provider;

use super::person::Person;
use crate::scene;

#[tokio::test]
async fn a_failure_says_what_to_do() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, _) = scene::organization(&stack, Provider::Telnyx, 5).await?;
    let person = Person::with_key(&stack, &organization.key).await?;
    let campaign = |list| {
        [
            "campaigns",
            "create",
            "Early",
            "--list",
            list,
            "--pool",
            "Pool",
            "--mode",
            "broadcast",
            "--template",
            "Hi",
        ]
    };
    person.does(&["lists", "create", "Nobody"]).await?;
    person.does(&campaign("Nobody")).await?;
    let nobody = "01900000-0000-7000-8000-000000000000";
    let cases: [(i32, &[&str], &str); 8] = [
        (2, &["campaigns", "create", "Late"], "--list"),
        (2, &campaign(nobody)[..], "contact_list"),
        (2, &["campaigns", "cancel", "Early"], "--yes"),
        (2, &["members", "update", nobody], "nothing to change"),
        (3, &["campaigns", "get", nobody], "NOT_FOUND"),
        (3, &["campaigns", "get", "Nowhere"], "no campaign is called Nowhere"),
        (4, &["tenants", "create", "Mine"], "muster whoami"),
        (6, &["campaigns", "start", "Early"], "muster import LIST FILE.csv"),
    ];
    for (exit, words, says) in cases {
        let ran = person.runs(words).await?;
        ensure!(ran.exit == exit && ran.err.contains(says) && ran.out.is_empty(), "{words:?}: {ran:?}");
    }
    let json = person.runs(&["campaigns", "start", "Early", "--json"]).await?;
    let error: serde_json::Value = serde_json::from_str(&json.err)?;
    ensure!(error["error"]["reason"] == "EMPTY_CONTACT_LIST" && error["error"]["exit"] == 6, "{error}");
    person.does(&["lists", "create", "Nobody"]).await?;
    let twice = person.runs(&["lists", "get", "Nobody"]).await?;
    ensure!(twice.exit == 2 && twice.err.contains("2 lists are called Nobody"), "{twice:?}");

    stack.control_plane.kill9().await?;
    let away = person.runs(&["campaigns", "list"]).await?;
    ensure!(away.exit == 5 && away.err.contains("muster status"), "{away:?}");
    Ok(())
}
