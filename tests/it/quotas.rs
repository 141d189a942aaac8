//! Quotas: as much as is allowed, and not one more, whoever asks at the same time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use muster_domain::permission::Permission;
use muster_proto::v1::{
    CampaignMode, CreateNumberPoolRequest, CreatePhoneNumberRequest, Invitation, NumberPool, PhoneNumber,
    Provider, TenantQuotas,
};
use muster_provider_sim::behaviour::Behaviour;
use muster_tests::client::status_of;
use muster_tests::stack::OrganizationOptions;
use muster_tests::{Client, Stack, StackOptions, contacts, wait};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::access::people::own_role;
use crate::scene::{self, TEMPLATE, WITHIN, refusal};

/// Clients that ask at the same time.
const CLIENTS: usize = 8;

/// Demands that a call was refused because of this quota, and says so to programs.
pub(crate) fn exceeded(status: &Status, quota: &str, limit: i64) -> Result<()> {
    ensure!(status.code() == Code::ResourceExhausted, "{status:?}");
    let info = status.get_details_error_info().context("no ErrorInfo")?;
    ensure!(info.reason == "QUOTA_EXCEEDED", "{info:?}");
    let failure = status.get_details_quota_failure().context("no QuotaFailure")?;
    let violation = failure.violations.first().context("no violation")?;
    ensure!(violation.quota_id == quota && violation.quota_value == limit, "{violation:?}");
    ensure!(violation.subject.starts_with("tenants/") && status.message().contains(quota), "{status:?}");
    Ok(())
}

/// A tenant with a client of its owner.
async fn tenant(stack: &Stack, quotas: TenantQuotas) -> Result<(String, Client)> {
    let operator = &stack.operator;
    let tenant = operator.create_tenant("Neighbors").await?.name;
    operator.set_quotas(&tenant, quotas).await?;
    let owner = operator.with_key(&operator.create_key(&tenant, "roles/owner").await?)?;
    Ok((tenant, owner))
}

/// Lets all clients do the same several times, and demands that just so many of the calls succeed.
async fn just<T>(
    room: usize,
    (quota, limit): (&str, i64),
    call: impl AsyncFn(usize) -> Result<T>,
) -> Result<()> {
    let calls = (0..CLIENTS).map(async |client| {
        let mut answers = Vec::new();
        for turn in 0..3 {
            answers.push(call(client * 3 + turn).await.map(drop));
        }
        answers
    });
    let answers: Vec<Result<()>> = join_all(calls).await.into_iter().flatten().collect();
    let succeeded = answers.iter().filter(|answer| answer.is_ok()).count();
    ensure!(succeeded == room, "{succeeded} of {} succeeded, not {room}, for {quota}", answers.len());
    for answer in answers.into_iter().filter(Result::is_err) {
        exceeded(&refusal(answer)?, quota, limit)?;
    }
    Ok(())
}

#[tokio::test]
async fn eight_at_once_create_as_many_as_are_allowed() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let quotas =
        TenantQuotas { contact_lists_max: 5, members_max: 6, api_keys_max: 7, ..TenantQuotas::default() };
    let (tenant, owner) = tenant(&stack, quotas).await?;
    just(5, ("contact_lists_max", 5), async |_| owner.create_list(&tenant, "Voters").await).await?;
    // A member counts, and so does who is invited; a personal key does not.
    owner.join(&tenant, "amina@example.org", "roles/texter").await?;
    let invite = async |number: usize| {
        let email = format!("texter-{number}@example.org");
        let invitation = Some(Invitation { email, role: "roles/texter".to_owned(), ..Default::default() });
        let request = muster_proto::v1::CreateInvitationRequest { parent: tenant.clone(), invitation };
        Ok(owner.members().create_invitation(request).await?)
    };
    just(5, ("members_max", 6), invite).await?;
    // The owner's own is there already.
    just(6, ("api_keys_max", 7), async |_| owner.create_key(&tenant, "roles/viewer").await).await?;
    let usage = owner.usage(&tenant).await?;
    ensure!((usage.contact_lists, usage.members, usage.api_keys) == (5, 6, 7), "{usage:?}");
    let limits = usage.quotas.context("the quotas")?;
    ensure!((limits.members_max, limits.import_rows_max) == (6, 10_000_000), "{limits:?}");
    Ok(())
}

/// The number of this name that a refused import says.
fn said(status: &Status, name: &str) -> Result<i64> {
    let info = status.get_details_error_info().context("no ErrorInfo")?;
    Ok(info.metadata.get(name).with_context(|| format!("no {name} in {info:?}"))?.parse()?)
}

#[tokio::test]
async fn eight_imports_at_once_fill_a_list_and_no_more() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let quotas = TenantQuotas { contacts_per_list_max: 100, ..TenantQuotas::default() };
    let (tenant, owner) = tenant(&stack, quotas).await?;
    let list = owner.create_list(&tenant, "Voters").await?;
    let file = |import: usize| {
        let rows = (0..40).map(|row| format!("212{:03}{:04}\n", 230 + import, 2_000 + row));
        format!("phone\n{}", rows.collect::<String>())
    };
    let imports = (0..CLIENTS).map(async |import| owner.import(&list, file(import).as_bytes()).await);
    let mut imported = 0;
    for answer in join_all(imports).await {
        imported += match answer {
            Ok(whole) => whole.imported_count,
            Err(error) => {
                let status = status_of(&error).context("a status")?;
                exceeded(status, "contacts_per_list_max", 100)?;
                ensure!(said(status, "row_count")? == said(status, "imported_count")?, "{status:?}");
                said(status, "imported_count")?
            }
        };
    }
    let there = owner.list_contacts(&list).await?.len();
    ensure!((imported, there) == (100, 100), "{imported} were said to be imported, {there} are there");
    // What the list has already needs no room.
    let contacts = owner.list_contacts(&list).await?;
    let known: String = contacts.iter().map(|contact| format!("{}\n", contact.phone_number)).collect();
    let again = owner.import(&list, format!("phone\n{known}").as_bytes()).await?;
    ensure!((again.imported_count, again.rejected_count) == (0, 100), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn an_import_stops_at_its_bound_and_says_where() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    // More than one batch.
    let quotas = TenantQuotas { import_rows_max: 2_500, ..TenantQuotas::default() };
    let (tenant, owner) = tenant(&stack, quotas).await?;
    let list = owner.create_list(&tenant, "Voters").await?;
    let file = contacts::messy(3, 4_000);
    let status = refusal(owner.import(&list, &file.bytes).await)?;
    exceeded(&status, "import_rows_max", 2_500)?;
    let (contacts, rejected) =
        (owner.list_contacts(&list).await?.len(), owner.list_rejected_rows(&list).await?.len());
    ensure!((said(&status, "row_count")?, contacts + rejected) == (2_500, 2_500), "{status:?}");
    ensure!(usize::try_from(said(&status, "imported_count")?)? == contacts, "{status:?}");
    let whole = contacts::tidy(4, 2_500);
    ensure!(owner.import(&list, &whole.bytes).await?.row_count == 2_500);
    Ok(())
}

/// Makes copies of a row that the tenant has in `table`, until there are `count` of its rows.
async fn fill(sql: &tokio_postgres::Client, table: &str, tenant: &str, count: i64) -> Result<()> {
    let statement = format!(
        "WITH own AS (SELECT id FROM {table} WHERE tenant_id = $1::text::uuid)
         INSERT INTO {table}
         SELECT (jsonb_populate_record(one, jsonb_build_object(
             'id', gen_random_uuid(),
             'phone', '+1' || (2000000000 + number),
             'webhook_token_hash', '\\x' || encode(sha256(number::text::bytea), 'hex')))).*
         FROM {table} AS one, generate_series(1, $2::int8 - (SELECT count(*) FROM own)) AS number
         WHERE id = (SELECT id FROM own LIMIT 1)"
    );
    let id = tenant.rsplit('/').next().unwrap_or_default();
    ensure!(sql.execute(&statement, &[&id, &count]).await? > 0, "{table} has no row to copy");
    Ok(())
}

#[tokio::test]
async fn what_no_quota_counts_has_a_bound_that_eight_at_once_keep() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 1).await?;
    let (owner, tenant) = (&organization.client, &organization.tenant);
    let role = async |_| own_role(owner, tenant, &[Permission::CampaignsRead]).await;
    let campaign = async |_| organization.draft(CampaignMode::Click, &list, TEMPLATE).await;
    let pool = async |_| {
        let number_pool = Some(NumberPool { display_name: "Pool".to_owned(), ..NumberPool::default() });
        let request = CreateNumberPoolRequest { parent: tenant.clone(), number_pool };
        Ok(owner.numbers().create_number_pool(request).await?)
    };
    let account = async |_| {
        let mut account = owner.account(&organization.account).await?;
        (account.base_url, account.api_secret) = (String::new(), "secret-of-the-bound".to_owned());
        owner.create_account(tenant, account).await
    };
    let number = async |at: usize| {
        let number = PhoneNumber {
            phone_number: format!("+1917555{:04}", 100 + at),
            number_pool: organization.pool.clone(),
            provider_account: organization.account.clone(),
            ..PhoneNumber::default()
        };
        let request = CreatePhoneNumberRequest { parent: tenant.clone(), phone_number: Some(number) };
        Ok(owner.numbers().create_phone_number(request).await?)
    };
    role(0).await?;
    campaign(0).await?;
    let sql = stack.sql().await?;
    for (table, max) in [
        ("roles", 1_000),
        ("number_pools", 1_000),
        ("provider_accounts", 100),
        ("phone_numbers", 100_000),
        ("campaigns", 100_000),
    ] {
        fill(&sql, table, tenant, max - 1).await.with_context(|| table.to_owned())?;
    }
    just(1, ("roles_max", 1_000), role).await?;
    just(1, ("number_pools_max", 1_000), pool).await?;
    just(1, ("provider_accounts_max", 100), account).await?;
    just(1, ("phone_numbers_max", 100_000), number).await?;
    just(1, ("campaigns_max", 100_000), campaign).await
}

/// How many texts a tenant's account has had accepted.
async fn accepted(stack: &Stack, account: &str) -> Result<i64> {
    let ledger = stack.simulator.ledger().await?;
    Ok(i64::try_from(ledger.entries.iter().filter(|entry| &*entry.account == account).count())?)
}

#[tokio::test]
async fn a_days_texts_are_as_many_as_are_allowed() -> Result<()> {
    // Calls that are not accepted are made again, and take no place.
    let behaviour = Behaviour { rate_share: 0.1, answer_ms: [0, 60], ..scene::quick() };
    let stack = Stack::start(StackOptions { behaviour, sender_nodes: 3, ..StackOptions::default() }).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 150).await?;
    let (tenant, account) = (&organization.tenant, &organization.account_sid);
    let day = |texts_per_day| TenantQuotas { texts_per_day, ..TenantQuotas::default() };
    stack.operator.set_quotas(tenant, day(130)).await?;
    for _ in 0..2 {
        let campaign = organization.draft(CampaignMode::Broadcast, &list, TEMPLATE).await?;
        organization.client.start(&campaign).await?;
    }
    let (other, other_list) = scene::organization(&stack, Provider::Telnyx, 200).await?;
    for limit in [130, 190] {
        stack.operator.set_quotas(tenant, day(limit)).await?;
        let reached = async || {
            let usage = organization.client.usage(tenant).await?;
            ensure!(usage.texts_today + usage.texts_ordered <= limit, "{usage:?} is beyond {limit}");
            Ok((accepted(&stack, account).await? >= limit).then_some(()))
        };
        wait::until("the day's texts to be sent", WITHIN, reached).await?;
        // Another tenant's whole campaign goes by meanwhile.
        let campaign = other.draft(CampaignMode::Broadcast, &other_list, TEMPLATE).await?;
        other.client.start(&campaign).await?;
        let sent = async || {
            let count = scene::count(&other, &campaign, muster_proto::v1::MessageStatus::Delivered).await?;
            Ok((count == 200).then_some(()))
        };
        wait::until("the other tenant's campaign", WITHIN, sent).await?;
        ensure!(accepted(&stack, account).await? == limit, "not {limit} texts were sent");
        let usage = organization.client.usage(tenant).await?;
        ensure!((usage.texts_today, usage.texts_ordered) == (limit, 0), "{usage:?}, not {limit}");
    }
    stack.operator.set_quotas(tenant, TenantQuotas::default()).await?;
    stack.settled(WITHIN).await?;
    stack.judge().await?.demand()
}

#[tokio::test]
async fn all_of_a_tenants_numbers_together_keep_its_rate() -> Result<()> {
    const RATE: i64 = 40;
    let stack = scene::stack(scene::quick()).await?;
    let (organization, list) = scene::organization(&stack, Provider::Twilio, 100).await?;
    let quotas = TenantQuotas { segments_per_second: RATE, ..TenantQuotas::default() };
    stack.operator.set_quotas(&organization.tenant, quotas).await?;
    scene::broadcast(&stack, &organization, &list).await?;
    // When they were ordered: how long each then takes to be called depends on the machine.
    let query = "SELECT count(*), extract(epoch FROM max(time) - min(time))::float8 FROM message_events WHERE status = 3";
    let row = stack.sql().await?.query_one(query, &[]).await?;
    let (ordered, took_s): (i64, f64) = (row.get(0), row.get(1));
    // What a quarter of a second saves up goes out at once.
    let least_s = 100.0 / 40.0 - 0.25 - 0.05;
    let as_paced = ordered == 100 && took_s >= least_s && took_s < least_s * 4.0;
    ensure!(as_paced, "{ordered} orders at {RATE} a second took {took_s} s");
    stack.judge().await?.demand()
}

#[tokio::test]
async fn eight_at_once_call_as_often_as_is_allowed() -> Result<()> {
    const RATE: u32 = 40;
    let stack = scene::stack(scene::quick()).await?;
    let quotas = TenantQuotas { api_calls_per_second: i64::from(RATE), ..TenantQuotas::default() };
    let (tenant, owner) = tenant(&stack, quotas).await?;
    let begun = Instant::now();
    let hammer = (0..CLIENTS).map(async |_| {
        let (mut through, mut refusals) = (0, Vec::new());
        while begun.elapsed() < Duration::from_secs(3) {
            match owner.tenant(&tenant).await {
                Ok(_) => through += 1,
                Err(error) => refusals.push(refusal(Err::<(), _>(error))?),
            }
        }
        anyhow::Ok((through, refusals))
    });
    let (mut through, mut refusals) = (0, Vec::new());
    for answer in join_all(hammer).await {
        let (count, refused) = answer?;
        through += count;
        refusals.extend(refused);
    }
    let (elapsed, rate) = (begun.elapsed().as_secs_f64(), f64::from(RATE));
    ensure!(f64::from(through) <= rate + rate * elapsed + 1.0, "{through} calls in {elapsed} s");
    ensure!(f64::from(through) >= rate * elapsed, "only {through} calls in {elapsed} s");
    let first = refusals.first().context("nothing was refused")?;
    exceeded(first, "api_calls_per_second", i64::from(RATE))?;
    let wait = first.get_details_retry_info().and_then(|info| info.retry_delay).context("no RetryInfo")?;
    ensure!(wait > Duration::ZERO && wait <= Duration::from_millis(25), "{wait:?}");
    // Others are not held up, and an operator is not counted.
    for _ in 0..RATE * 3 {
        stack.operator.tenant(&tenant).await?;
    }
    Ok(())
}

#[tokio::test]
async fn uploads_beyond_the_rate_are_refused_in_full_and_break_nobodys_connection() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let quotas = TenantQuotas { api_calls_per_second: 1, ..TenantQuotas::default() };
    let (tenant, owner) = tenant(&stack, TenantQuotas::default()).await?;
    let list = owner.create_list(&tenant, "Voters").await?;
    stack.operator.set_quotas(&tenant, quotas).await?;
    let limited = async || Ok(owner.tenant(&tenant).await.is_err().then_some(()));
    wait::until("the rate to count", WITHIN, limited).await?;
    // All over one connection, which is the operator's, too.
    let file = contacts::tidy(1, 1_500).bytes;
    let mut refusals = 0;
    for round in 0..20 {
        for answer in join_all((0..CLIENTS).map(async |_| owner.import(&list, &file).await)).await {
            let Err(error) = answer else { continue };
            let status = status_of(&error).with_context(|| format!("round {round}: {error:?}"))?;
            exceeded(status, "api_calls_per_second", 1)?;
            let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
            ensure!(
                wait.is_some_and(|wait| wait > Duration::ZERO && wait <= Duration::from_secs(1)),
                "{wait:?}"
            );
            refusals += 1;
        }
        stack.operator.tenant(&tenant).await.with_context(|| format!("round {round}"))?;
    }
    ensure!(refusals > 10 * CLIENTS, "only {refusals} were refused");
    Ok(())
}

#[tokio::test]
async fn an_organization_without_quotas_is_not_held_up() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = stack.organization(OrganizationOptions::of(Provider::Twilio)).await?;
    let (list, _) = organization.list("Voters", &contacts::tidy(1, 300).bytes).await?;
    scene::broadcast(&stack, &organization, &list).await?;
    let usage = organization.client.usage(&organization.tenant).await?;
    ensure!((usage.texts_today, usage.texts_ordered) == (300, 0), "{usage:?}");
    Ok(())
}
