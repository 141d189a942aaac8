//! Whoever can write to the database can change the log, but not unnoticed; our own roles cannot even try.

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{Context as Digest, SHA256};
use muster_proto::v1::{AuditEntry, AuditFault, Provider};
use muster_tests::Stack;
use muster_tests::stack::{Organization, OrganizationOptions};

use super::valid;
use crate::scene;

async fn with_entries(stack: &Stack, entries: usize) -> Result<Organization> {
    let organization = stack.organization(OrganizationOptions::of(Provider::Twilio)).await?;
    while organization.client.audit_log(&organization.tenant).await?.len() < entries {
        organization.client.create_list(&organization.tenant, "Voters").await?;
    }
    Ok(organization)
}

/// The hash of an entry, as the API's description says that it is made.
fn hash(previous: &[u8], entry: &AuditEntry) -> Result<Vec<u8>> {
    let time = entry.time.as_ref().context("a time")?;
    let time = (time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000).to_string();
    let AuditEntry { name, caller, method, resource, address, before, after, result, .. } = entry;
    let mut digest = Digest::new(&SHA256);
    digest.update(previous);
    for text in [name, &time, caller, method, resource, address, before, after, result] {
        digest.update(&u32::try_from(text.len())?.to_be_bytes());
        digest.update(text.as_bytes());
    }
    Ok(digest.finish().as_ref().to_vec())
}

#[tokio::test]
async fn an_export_can_be_checked_by_anybody_and_gone_on_with() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = with_entries(&stack, 12).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    let log = client.audit_log(tenant).await?;
    for start in [0, 1, 7, 12] {
        let parts = client.export_audit_log(tenant, start).await?;
        let first = usize::try_from(start.max(1) - 1)?;
        let mut previous = if first == 0 { vec![0; 32] } else { log[first - 1].hash.clone() };
        let mut exported = Vec::new();
        for part in parts {
            ensure!(part.previous_hash == previous, "a part from {start} on does not follow the one before");
            for entry in part.audit_entries {
                previous = hash(&previous, &entry)?;
                ensure!(entry.hash == previous, "{entry:?}");
                exported.push(entry);
            }
        }
        ensure!(exported == log[first..], "from {start} on: {exported:?}");
    }
    ensure!(client.export_audit_log(tenant, 13).await?.is_empty());

    // A log of more than one part.
    let sql = stack.sql().await?;
    let stuffed = format!(
        "INSERT INTO audit_entries SELECT tenant_id, sequence + number, time, caller, method, resource, address, \
         repeat('x', 100000), after, result, hash FROM audit_entries, generate_series(1, 30) AS number \
         WHERE tenant_id = '{0}' AND sequence = 12; \
         UPDATE audit_heads SET sequence = sequence + 30 WHERE tenant_id = '{0}'",
        &tenant["tenants/".len()..]
    );
    sql.batch_execute(&stuffed).await?;
    let parts = client.export_audit_log(tenant, 0).await?;
    let exported: usize = parts.iter().map(|part| part.audit_entries.len()).sum();
    ensure!(parts.len() > 1 && exported == 42, "{exported} entries in {} parts", parts.len());
    ensure!(client.audit_log(tenant).await?.len() == 42);
    Ok(())
}

#[tokio::test]
async fn whatever_is_done_to_the_log_is_found_and_named() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = with_entries(&stack, 12).await?;
    with_entries(&stack, 5).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    valid(client, tenant, 12).await?;
    let known = client.audit_log(tenant).await?.pop().map(|last| (12, last.hash));
    let sql = stack.sql().await?;
    let keep =
        "CREATE TABLE kept_entries AS TABLE audit_entries; CREATE TABLE kept_heads AS TABLE audit_heads";
    sql.batch_execute(keep).await?;
    let id = &tenant["tenants/".len()..];
    let entry = |sequence: i64| format!("audit_entries WHERE tenant_id = '{id}' AND sequence = {sequence}");
    let update = |set: &str, sequence: i64| {
        format!("UPDATE audit_entries SET {set} WHERE tenant_id = '{id}' AND sequence = {sequence};")
    };
    let set_back = format!(
        "UPDATE audit_heads SET sequence = 9, hash = (SELECT hash FROM {}) WHERE tenant_id = '{id}';",
        entry(9)
    );
    let cut = format!("DELETE FROM audit_entries WHERE tenant_id = '{id}' AND sequence > 9;");
    let swap = ["sequence = 99", "sequence = 4", "sequence = 8"].iter().zip([4, 8, 99]);
    let swap: String = swap.map(|(set, at)| update(set, at)).collect();
    let added = format!(
        "INSERT INTO audit_entries SELECT tenant_id, 13, time, caller, method, resource, address, before, after, result, hash FROM {};",
        entry(12)
    );
    let deeds = [
        (update("caller = 'operator'", 7), 7, AuditFault::Changed),
        (update("time = time + interval '1 microsecond'", 1), 1, AuditFault::Changed),
        (update("after = after || ' '", 12), 12, AuditFault::Changed),
        (update("hash = sha256(hash)", 5), 5, AuditFault::Changed),
        (format!("DELETE FROM {};", entry(6)), 6, AuditFault::Missing),
        (format!("DELETE FROM {};", entry(1)), 1, AuditFault::Missing),
        (swap, 4, AuditFault::Changed),
        (cut.clone(), 10, AuditFault::CutOff),
        (added, 13, AuditFault::Added),
        (
            format!("UPDATE audit_heads SET hash = sha256(hash) WHERE tenant_id = '{id}';"),
            12,
            AuditFault::Changed,
        ),
        // The end is set back as well: only what is known from an export tells.
        (format!("{set_back}{cut}"), 10, AuditFault::CutOff),
    ];
    for (deed, sequence, fault) in deeds {
        sql.batch_execute(&deed).await.with_context(|| deed.clone())?;
        let verified = client.verify_audit_log(tenant, known.clone()).await?;
        let found = (verified.broken_sequence, verified.fault());
        ensure!(!verified.valid && found == (sequence, fault), "{deed} was found as {found:?}");
        let restore = "DELETE FROM audit_entries; INSERT INTO audit_entries TABLE kept_entries; \
                       DELETE FROM audit_heads; INSERT INTO audit_heads TABLE kept_heads";
        sql.batch_execute(restore).await?;
        ensure!(client.verify_audit_log(tenant, known.clone()).await?.valid, "not restored after {deed}");
    }
    let other = Some((12, vec![7; 32]));
    let verified = client.verify_audit_log(tenant, other).await?;
    ensure!((verified.broken_sequence, verified.fault()) == (12, AuditFault::Rewritten), "{verified:?}");
    Ok(())
}
