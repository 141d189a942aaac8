//! `muster`, the command-line client, as its users have it: the built program against the real platform.

mod contexts;
mod failures;
mod person;
mod watching;

use anyhow::{Context, Result, ensure};
use muster_provider_sim::account::AccountSpec;
use muster_tests::canaries::{plant_numbers, plant_secret};
use muster_tests::contacts::sending_numbers;
use muster_tests::{Stack, contacts};
use serde_json::Value;

use self::person::Person;
use crate::scene;

/// A text of an object.
fn text(object: &Value, pointer: &str) -> Result<String> {
    let found = object.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no {pointer} in {object}"))?.to_owned())
}

/// A number of an object: canonical JSON has those of 64 bits as strings, and leaves 0 out.
fn count(object: &Value, pointer: &str) -> Result<usize> {
    match object.pointer(pointer) {
        None => Ok(0),
        Some(found) => Ok(found.as_str().context("a number of 64 bits")?.parse()?),
    }
}

#[tokio::test]
async fn a_first_campaign_by_commands_alone() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let operator = Person::with_key(&stack, &stack.endpoints.operator_key).await?;
    let created = operator.does(&["tenants", "create", "Neighbors", "--broadcast", "true"]).await?;
    ensure!(created.contains("display name:") && created.contains("Neighbors"), "{created}");
    let invited = ["invitations", "create", "amina@example.org", "--role", "owner", "--tenant", "Neighbors"];
    let token = text(&operator.gets(&invited).await?, "/token")?;
    plant_secret(&token);
    let accept = ["invitations", "accept", "--token-file", "-", "--display-name", "Amina", "--json"];
    let accepted = operator.tells(&accept, &token).await?.object()?;
    let amina = Person::with_key(&stack, &text(&accepted, "/secret")?).await?;
    let whoami = amina.gets(&["whoami"]).await?;
    ensure!(text(&whoami, "/caller")? == text(&accepted, "/member/name")?, "{whoami}");

    account(&stack, &operator).await?;
    a_secret_is_shown_once(&amina).await?;
    amina.does(&["pools", "create", "Texas"]).await?;
    let numbers = sending_numbers(3);
    plant_numbers(&numbers.join(","));
    let add = ["numbers", "add", "Texas", "--account", "Our Telnyx", "--rate", "1000"];
    amina.does(&[&add[..], &numbers.iter().map(String::as_str).collect::<Vec<_>>()].concat()).await?;
    let listed = amina.does(&["numbers", "list", "Texas"]).await?;
    ensure!(numbers.iter().all(|number| listed.contains(number)) && listed.contains("local"), "{listed}");

    let imported = import(&amina).await?;
    let campaign =
        ["campaigns", "create", "Vote", "--list", "Voters", "--pool", "Texas", "--mode", "broadcast"];
    amina
        .does(&[&campaign[..], &["--template", "Hi {first_name|friend}, vote on Tuesday!"]].concat())
        .await?;
    amina.does(&["campaigns", "start", "Vote"]).await?;
    let watched = amina.does(&["campaigns", "watch", "Vote"]).await?;
    ensure!(watched.lines().last().is_some_and(|line| line.contains("running")), "{watched}");
    stack.settled(scene::WITHIN).await?;
    let report = amina.gets(&["report", "Vote"]).await?;
    ensure!(count(&report, "/messageCount")? == imported, "{report}");
    ensure!(amina.does(&["report", "Vote"]).await?.contains("delivered"), "{report}");

    let messages = amina
        .runs(&["messages", "list", "Vote", "--all", "--page-size", "100", "--json"])
        .await?
        .objects()?;
    ensure!(messages.len() == imported, "{} of {imported}", messages.len());
    let first = text(messages.first().context("a message")?, "/name")?;
    let history = amina.does(&["messages", "get", &first]).await?;
    ensure!(
        ["queued", "claimed", "sent", "delivered"].iter().all(|step| history.contains(step)),
        "{history}"
    );
    let audit = amina.does(&["audit", "list", "--method", "CampaignService/StartCampaign"]).await?;
    ensure!(audit.lines().count() == 2 && audit.contains("OK"), "{audit}");
    amina.does(&["audit", "verify"]).await?;
    stack.judge().await?.demand()?;
    stack.stop().await
}

/// Creates an account at the simulator, which an operator alone may say.
async fn account(stack: &Stack, operator: &Person) -> Result<()> {
    let spec = AccountSpec {
        provider: "telnyx".to_owned(),
        account_sid: "ACbycommands".to_owned(),
        api_secret: "secret-of-0123456789abcdef".to_owned(),
        ..AccountSpec::default()
    };
    let opened = stack.simulator.open_account(&spec).await?;
    plant_secret(&opened.api_secret);
    let secret = operator.file("secret", opened.api_secret.as_bytes())?;
    let webhook_key = operator.file("webhook-key", opened.webhook_key.as_bytes())?;
    let simulator = stack.simulator.url();
    let account = ["accounts", "create", "Our Telnyx", "--provider", "telnyx", "--tenant", "Neighbors"];
    let secrets =
        ["--api-secret-file", &secret, "--webhook-key-file", &webhook_key, "--base-url", &simulator];
    let account = operator.does(&[&account[..], &secrets].concat()).await?;
    ensure!(!account.contains(&opened.api_secret) && account.contains("telnyx"), "{account}");
    let shown = operator.does(&["accounts", "get", "Our Telnyx", "--tenant", "Neighbors", "--json"]).await?;
    ensure!(!shown.contains(&opened.api_secret) && shown.contains("inboundWebhookUrl"), "{shown}");
    Ok(())
}

/// Creates a key and looks for its secret wherever keys are shown.
async fn a_secret_is_shown_once(amina: &Person) -> Result<()> {
    let created = amina.runs(&["keys", "create", "Nightly", "--role", "viewer", "--expires", "30d"]).await?;
    let secret = created.out.lines().find_map(|line| line.strip_prefix("secret: ")).context("a secret")?;
    plant_secret(secret);
    ensure!(created.err.contains("only now"), "{created:?}");
    for words in [
        &["keys", "get", "Nightly"][..],
        &["keys", "list"],
        &["keys", "list", "--json"],
        &["audit", "list", "--json"],
    ] {
        let shown = amina.does(words).await?;
        ensure!(!shown.contains(secret), "{words:?}: {shown}");
    }
    let nightly = amina.tells(&["whoami", "--key-file", "-"], secret).await?;
    ensure!(nightly.exit == 0 && nightly.out.contains("campaigns.read"), "{nightly:?}");
    amina.does(&["keys", "delete", "Nightly", "--yes"]).await?;
    Ok(())
}

/// Imports a messy file, as people see it and as programs do. Returns how many contacts there are then.
async fn import(amina: &Person) -> Result<usize> {
    let file = contacts::messy(7, 400);
    plant_numbers(&String::from_utf8_lossy(&file.bytes));
    let path = amina.file("voters.csv", &file.bytes)?;
    let imported = amina.runs(&["import", "Voters", &path, "--create"]).await?;
    ensure!(imported.exit == 0, "{imported:?}");
    for (reason, rows) in file.expected.rejected_by_reason() {
        let row = imported.out.lines().find(|line| line.starts_with(&reason));
        ensure!(row.is_some_and(|row| row.ends_with(&rows.to_string())), "{reason} {rows}: {}", imported.out);
    }
    ensure!(imported.err.contains("muster lists rejected"), "{imported:?}");
    // Again, from standard input: nobody is added twice, and this time that is a failure.
    let again = ["import", "Voters", "-", "--strict", "--json"];
    let again = amina.tells(&again, &String::from_utf8_lossy(&file.bytes)).await?;
    let answer = again.object()?;
    ensure!(again.exit == 8 && count(&answer, "/importedCount")? == 0, "{again:?}");
    let list = amina.gets(&["lists", "get", "Voters"]).await?;
    ensure!(count(&list, "/contactCount")? == file.expected.contacts.len(), "{list}");
    let page = amina.runs(&["lists", "rejected", "Voters", "--page-size", "2", "--json"]).await?;
    ensure!(page.objects()?.len() == 2 && page.err.contains("--all"), "{page:?}");
    Ok(file.expected.contacts.len())
}

#[tokio::test]
async fn what_is_generated_is_for_the_tools_that_read_it() -> Result<()> {
    let person = Person::new().await?;
    for shell in ["bash", "zsh", "fish"] {
        let script = person.does(&["completion", shell]).await?;
        ensure!(script.contains("opt-outs"), "{shell}: {script}");
    }
    let folder = person.home().join("man");
    person.does(&["man", folder.to_str().context("UTF-8")?]).await?;
    let page = std::fs::read_to_string(folder.join("muster-campaigns-start.1"))?;
    ensure!(page.contains("CampaignService.StartCampaign"), "{page}");
    Ok(())
}
