//! Secrets of provider accounts: sealed in the database, of no use without the key, rotated while texts go out, and in
//! no log.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use futures::TryStreamExt as _;
use muster_proto::v1::{CampaignMode, ListProviderAccountsRequest, MessageStatus, Provider, ProviderAccount};
use muster_provider_sim::control::InboundSpec;
use muster_tests::stack::{KEK, Organization, Service};
use muster_tests::{Process, Stack, StackOptions, wait};
use tonic::Code;
use uuid::Uuid;

use crate::scene::{self, TEMPLATE, WITHIN, refused};

/// The variable that has the KEK of a stack.
const KEK_VARIABLE: &str = "MUSTER_KEK__KEYS__LOCAL";

/// A key of 32 bytes in base64.
fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

/// An account with secrets that occur nowhere else, and those secrets.
async fn canaries(organization: &Organization) -> Result<Vec<String>> {
    let mut secrets: Vec<String> =
        ["canary-api", "canary-webhook"].map(|what| format!("{what}-{}", Uuid::now_v7())).to_vec();
    let [api_secret, webhook_key] = [&secrets[0], &secrets[1]].map(String::clone);
    let account = ProviderAccount {
        display_name: "Canary".to_owned(),
        provider: Provider::Telnyx.into(),
        api_secret,
        webhook_key,
        ..ProviderAccount::default()
    };
    let mut account = organization.client.create_account(&organization.tenant, account).await?;
    secrets.push(token(&account)?);
    let changed = format!("canary-changed-{}", Uuid::now_v7());
    account.api_secret.clone_from(&changed);
    secrets.push(changed);
    let updated = organization.client.update_account(account.clone()).await?;
    ensure!(updated.inbound_webhook_url == account.inbound_webhook_url && updated.api_secret.is_empty());
    Ok(secrets)
}

/// The secret part of an account's webhook path.
fn token(account: &ProviderAccount) -> Result<String> {
    let token = account.inbound_webhook_url.split('/').nth_back(1).context("a token in the path")?;
    ensure!(token.len() == 43, "{token}");
    Ok(token.to_owned())
}

/// A secret as it is, and as base64 and hex would show it; in base64 wherever it begins.
fn guises(secret: &str) -> Vec<String> {
    let mut guises = vec![secret.to_owned()];
    for shift in 0..3 {
        let shifted = [&b"\0\0"[..shift], secret.as_bytes()].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            // Without the first and the last characters where they hold bits of what is around it.
            let whole = (8 * shift).div_ceil(6)..8 * shifted.len() / 6;
            guises.push(engine.encode(&shifted)[whole].to_owned());
        }
    }
    let hex = |text: &String| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let hexed: Vec<String> = guises.iter().map(hex).collect();
    guises.extend(hexed.iter().map(|hex| hex.to_uppercase()));
    guises.extend(hexed);
    guises
}

/// Every row of every table but `except`, by COPY: what a dump has of them.
pub(crate) async fn rows(sql: &tokio_postgres::Client, except: &[&str]) -> Result<String> {
    let tables = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables \
                  WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> ALL ($1)";
    let mut dump = String::new();
    for row in sql.query(tables, &[&except]).await? {
        let table: String = row.get(0);
        let rows = sql.copy_out(&format!("COPY {table} TO STDOUT")).await.context(table)?;
        let rows: Vec<_> = rows.try_collect().await?;
        dump.push_str(&String::from_utf8(rows.concat())?);
    }
    Ok(dump)
}

/// Demands that none of `secrets` is in `text`, in any guise.
pub(crate) fn hides(place: &str, text: &str, secrets: &[String]) -> Result<()> {
    for secret in secrets {
        for guise in guises(secret) {
            ensure!(!text.contains(&guise), "{place} holds {secret}, as {guise}");
        }
    }
    Ok(())
}

async fn logged(process: &Process, text: &str) -> Result<()> {
    let said = async || Ok(std::fs::read_to_string(process.log())?.contains(text).then_some(()));
    let waited = wait::until(&format!("`{text}` in the log"), WITHIN, said).await;
    waited.with_context(|| process.log_tail())
}

/// Starts the control-plane again, told what it now is to be told.
async fn restart(stack: &mut Stack) -> Result<()> {
    stack.control_plane.restart(WITHIN).await?;
    stack.serving().await
}

#[tokio::test]
async fn a_dump_of_the_database_holds_no_secret() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 3).await?;
    let mut secrets = canaries(&organization).await?;
    let used = organization.client.account(&organization.account).await?;
    secrets.extend([token(&used)?, format!("secret-of-{}", &organization.account_sid[2..])]);
    scene::broadcast(&stack, &organization, &list).await?;
    let sql = stack.sql().await?;
    let all = rows(&sql, &[]).await?;
    let whole = |text: &str| text.contains("Canary") && text.contains(&organization.account_sid);
    ensure!(whole(&all), "these are not the rows");
    hides("the rows", &all, &secrets)?;
    // The same for a dump by pg_dump, and what pg_restore makes of one, where PostgreSQL is installed; one that was fetched
    // comes without them, and then the rows must do.
    match stack.restored().await? {
        Some((dump, restored)) => {
            let dump = String::from_utf8(dump)?;
            ensure!(whole(&dump) && dump.contains("CREATE POLICY"), "that is no dump");
            hides("the dump", &dump, &secrets)?;
            let restored = rows(&restored, &[]).await?;
            ensure!(whole(&restored), "it was not restored");
            hides("what was restored", &restored, &secrets)?;
        }
        None => println!("there is no pg_dump here: only the rows were looked at, by COPY"),
    }
    // What is looked for would be found.
    for plant in ["$1", "encode($1::text::bytea, 'base64')", "encode(('x' || $1)::bytea, 'hex')"] {
        let plant = format!("UPDATE tenants SET display_name = {plant}");
        sql.execute(&plant, &[&secrets[0]]).await?;
        ensure!(hides("the rows", &rows(&sql, &[]).await?, &secrets).is_err(), "{plant} was not found");
    }
    Ok(())
}

#[tokio::test]
async fn without_the_kek_nothing_is_sent_and_nothing_is_lost() -> Result<()> {
    let mut stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 5).await?;
    let secrets = canaries(&organization).await?;
    stack.control_plane.set_env(KEK_VARIABLE, key(7));
    restart(&mut stack).await?;
    logged(&stack.control_plane, "accounts cannot be opened; their texts and webhooks wait").await?;

    let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
    organization.client.start(&campaign).await?;
    let node = stack.sender_nodes.first().context("there is a node")?;
    logged(node, "an account could not be learned in time").await?;
    refused(organization.client.account(&organization.account).await, Code::Unavailable)?;
    let messages = organization.client.list_messages(&organization.tenant, &campaign).await?;
    let message = messages.first().context("there is a message")?;
    let (from, to) = (message.to.clone(), message.from.clone());
    let reply = InboundSpec { from, to, body: "Stop".to_owned(), times: 1, ..InboundSpec::default() };
    // The provider is told to try again.
    ensure!(stack.simulator.inbound(&reply).await?.answers == [Some(503)], "a reply was lost or believed");
    ensure!(stack.simulator.stats().await?.accepted == 0, "a text was sent");
    let log = std::fs::read_to_string(stack.control_plane.log())?;
    let said = format!("the secrets of {} cannot be opened", organization.account);
    ensure!(log.contains(&said) && log.contains("the KEK `local`"), "{}", stack.control_plane.log_tail());
    hides("the log", &log, &secrets)?;
    hides("the log", &log, &[key(7)])?;

    stack.control_plane.set_env(KEK_VARIABLE, KEK);
    restart(&mut stack).await?;
    stack.settled(WITHIN).await?;
    stack.judge().await?.demand()?;
    ensure!(scene::count(&organization, &campaign, MessageStatus::Delivered).await? == 5);
    Ok(())
}

/// A stack whose KEKs are files in a folder, with one that is current.
async fn with_folder() -> Result<(Stack, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    put(folder.path(), "k1", 1)?;
    let path = folder.path().to_str().context("a path")?.to_owned();
    let env = [("MUSTER_KEK__CURRENT", "k1".to_owned()), ("MUSTER_KEK__FOLDER", path)];
    let env = env.map(|(name, value)| (Service::ControlPlane, name.to_owned(), value)).to_vec();
    let options = StackOptions { env, behaviour: scene::quick(), ..StackOptions::default() };
    Ok((Stack::start(options).await?, folder))
}

fn put(folder: &Path, id: &str, byte: u8) -> Result<()> {
    Ok(std::fs::write(folder.join(id), key(byte) + "\n")?)
}

/// How many accounts are sealed under which KEK, and their sealed values without the wrapped keys.
async fn sealed(stack: &Stack) -> Result<(Vec<String>, Vec<Vec<u8>>)> {
    let query = "SELECT kek_id, substr(sealed_secrets, 64) FROM provider_accounts ORDER BY id";
    let rows = stack.sql().await?.query(query, &[]).await?;
    Ok(rows.iter().map(|row| (row.get::<_, String>(0), row.get::<_, Vec<u8>>(1))).unzip())
}

#[tokio::test]
async fn the_kek_is_rotated_and_texts_go_on() -> Result<()> {
    let (mut stack, folder) = with_folder().await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 5).await?;
    let secrets = canaries(&organization).await?;
    let (under, values) = sealed(&stack).await?;
    ensure!(under == ["k1", "k1"], "{under:?}");

    put(folder.path(), "k2", 2)?;
    stack.control_plane.set_env("MUSTER_KEK__CURRENT", "k2");
    restart(&mut stack).await?;
    // Not while the old one is missing; what fails says what is left, and changes nothing.
    std::fs::rename(folder.path().join("k1"), folder.path().join(".k1"))?;
    ensure!(stack.run_command("rewrap-secrets").await.is_err(), "it did not fail");
    let log = std::fs::read_to_string(stack.run.log("rewrap-secrets"))?;
    ensure!(log.contains("left under another KEK: 2 under `k1`") && log.contains("0 accounts were"), "{log}");
    ensure!(sealed(&stack).await? == (under, values.clone()), "something was changed");
    std::fs::rename(folder.path().join(".k1"), folder.path().join("k1"))?;

    for _ in 0..2 {
        stack.run_command("rewrap-secrets").await?;
        let (under, rewrapped) = sealed(&stack).await?;
        ensure!(under == ["k2", "k2"] && rewrapped == values, "{under:?}, or a sealed value was touched");
    }
    let log = std::fs::read_to_string(stack.run.log("rewrap-secrets"))?;
    ensure!(log.contains("2 accounts were"), "{log}");
    hides("the log", &log, &secrets)?;

    std::fs::remove_file(folder.path().join("k1"))?;
    restart(&mut stack).await?;
    let campaign = scene::broadcast(&stack, &organization, &list).await?;
    stack.judge().await?.demand()?;
    ensure!(scene::count(&organization, &campaign, MessageStatus::Delivered).await? == 5);
    Ok(())
}

#[tokio::test]
async fn an_account_whose_kek_is_missing_hides_no_other() -> Result<()> {
    let (mut stack, folder) = with_folder().await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (client, tenant) = (&organization.client, &organization.tenant);
    put(folder.path(), "k2", 2)?;
    stack.control_plane.set_env("MUSTER_KEK__CURRENT", "k2");
    restart(&mut stack).await?;
    let wanted = ProviderAccount {
        display_name: "Second".to_owned(),
        provider: Provider::Telnyx.into(),
        api_secret: "secret-of-the-second".to_owned(),
        webhook_key: "key-of-the-second".to_owned(),
        ..ProviderAccount::default()
    };
    let second = client.create_account(tenant, wanted).await?;
    let list = async || -> Result<Vec<ProviderAccount>> {
        let request = ListProviderAccountsRequest { parent: tenant.clone(), ..Default::default() };
        let page = client.provider_accounts().list_provider_accounts(request).await?.into_inner();
        Ok(page.provider_accounts)
    };
    let whole = list().await?;
    ensure!(whole.len() == 2 && whole.iter().all(|account| !account.secrets_locked), "{whole:?}");
    std::fs::remove_file(folder.path().join("k1"))?;
    restart(&mut stack).await?;
    let shown = list().await?;
    let locked = ProviderAccount {
        secrets_locked: true,
        inbound_webhook_url: String::new(),
        status_webhook_url: String::new(),
        ..whole[0].clone()
    };
    ensure!(shown == [locked, second], "{shown:?}");
    refused(client.account(&organization.account).await, Code::Unavailable)
}

#[tokio::test]
async fn accounts_are_changed_and_rewrapped_at_once_and_no_change_is_lost() -> Result<()> {
    let (mut stack, folder) = with_folder().await?;
    let (organization, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    put(folder.path(), "k2", 2)?;
    restart(&mut stack).await?;
    stack.control_plane.set_env("MUSTER_KEK__CURRENT", "k2");
    // The first control-plane goes on sealing under the old KEK while the second seals under the new one.
    let (_second, operator) = stack.another_control_plane().await?;
    let same = ProviderAccount { name: organization.account.clone(), ..ProviderAccount::default() };
    for round in 0..10 {
        let wanted = (format!("Name {round}"), format!("AC{round}"));
        let name = ProviderAccount { display_name: wanted.0.clone(), ..same.clone() };
        let sid = ProviderAccount { account_sid: wanted.1.clone(), ..same.clone() };
        // The command fails where an account is sealed under the old KEK behind its back; it need not.
        let (_, old, new) = tokio::join!(
            stack.run_command("rewrap-secrets"),
            organization.client.update_account(name),
            operator.update_account(sid)
        );
        drop((old?, new?));
        let account = organization.client.account(&organization.account).await?;
        ensure!((account.display_name, account.account_sid) == wanted, "a change was lost in round {round}");
    }
    stack.run_command("rewrap-secrets").await?;
    ensure!(sealed(&stack).await?.0 == ["k2"]);
    Ok(())
}

#[tokio::test]
async fn what_is_sealed_for_one_account_does_not_open_for_another() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (owner, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (thief, _) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let token = token(&owner.client.account(&owner.account).await?)?;
    thief.client.account(&thief.account).await?;
    let copied = "UPDATE provider_accounts AS theirs SET sealed_secrets = own.sealed_secrets, kek_id = own.kek_id \
                  FROM provider_accounts AS own WHERE own.id = $1::text::uuid AND theirs.id = $2::text::uuid";
    let ids = [&owner, &thief].map(|one| one.account.rsplit('/').next().unwrap_or_default().to_owned());
    ensure!(stack.sql().await?.execute(copied, &[&ids[0], &ids[1]]).await? == 1);

    let stolen = scene::refusal(thief.client.account(&thief.account).await)?;
    ensure!(stolen.code() == Code::Unavailable && !format!("{stolen:?}").contains(&token), "{stolen:?}");
    logged(&stack.control_plane, &format!("the secrets of {} cannot be opened", thief.account)).await?;
    owner.client.account(&owner.account).await?;
    Ok(())
}

/// The logs of all processes of a stack, servers and simulator among them.
fn logs(stack: &Stack) -> Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(stack.run.path())?;
    let paths: Vec<PathBuf> = files.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "log")).collect())
}

#[tokio::test]
async fn no_log_holds_a_secret() -> Result<()> {
    let options = StackOptions { log_filter: "trace".to_owned(), ..StackOptions::default() };
    let mut stack = Stack::start(StackOptions { behaviour: scene::quick(), ..options }).await?;
    let mut secrets = vec![KEK.to_owned()];
    for provider in [Provider::Twilio, Provider::Telnyx] {
        let (organization, list) = scene::organization(&stack, provider, 3).await?;
        secrets.extend(canaries(&organization).await?);
        secrets.push(token(&organization.client.account(&organization.account).await?)?);
        secrets.push(format!("secret-of-{}", &organization.account_sid[2..]));
        scene::broadcast(&stack, &organization, &list).await?;
    }
    stack.run_command("rewrap-secrets").await?;
    // What fails says more than what works.
    stack.control_plane.set_env(KEK_VARIABLE, key(7));
    secrets.push(key(7));
    restart(&mut stack).await?;
    logged(&stack.control_plane, "accounts cannot be opened").await?;
    let logs = logs(&stack)?;
    ensure!(logs.len() >= 5, "{logs:?}");
    for path in logs {
        let log = std::fs::read(&path)?;
        hides(&path.display().to_string(), &String::from_utf8_lossy(&log), &secrets)?;
    }
    Ok(())
}
