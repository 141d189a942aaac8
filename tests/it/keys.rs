//! Members and their own keys; and keys that end, which leave nothing behind that does not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use muster_domain::permission::Permission::{ApiKeysWrite, MembersWrite, TextingSend};
use muster_proto::v1::{
    ApiKey, CreateApiKeyRequest, DeleteApiKeyRequest, GetApiKeyRequest, GetCallerRequest, ListApiKeysRequest,
    Member, RotateApiKeyRequest, UpdateMemberRequest,
};
use muster_tests::{Client, Stack, wait};
use prost_types::Timestamp;
use tonic::Code;

use crate::access::people::{key, own_role};
use crate::fields::field;
use crate::quotas::exceeded;
use crate::scene::{self, WITHIN, refusal, refused};

/// A moment to come, to the second.
fn after(span: Duration) -> Result<Option<Timestamp>> {
    let end = SystemTime::now().duration_since(UNIX_EPOCH)? + span;
    Ok(Some(Timestamp { seconds: i64::try_from(end.as_secs())?, nanos: 0 }))
}

const HOUR: Duration = Duration::from_secs(3_600);

async fn create(client: &Client, tenant: &str, draft: ApiKey) -> Result<(ApiKey, Client)> {
    let api_key = Some(ApiKey { display_name: "Key".to_owned(), ..draft });
    let request = CreateApiKeyRequest { parent: tenant.to_owned(), api_key };
    let created = client.api_keys().create_api_key(request).await?.into_inner();
    Ok((created.api_key.context("a key")?, client.with_key(&created.secret)?))
}

async fn rotate(client: &Client, name: &str, overlap_seconds: i64) -> Result<(ApiKey, Client)> {
    let request = RotateApiKeyRequest { name: name.to_owned(), overlap_seconds };
    let rotated = client.api_keys().rotate_api_key(request).await?.into_inner();
    Ok((rotated.api_key.context("a key")?, client.with_key(&rotated.secret)?))
}

async fn delete(client: &Client, name: &str) -> Result<()> {
    client.api_keys().delete_api_key(DeleteApiKeyRequest { name: name.to_owned() }).await?;
    Ok(())
}

async fn get(client: &Client, name: &str) -> Result<ApiKey> {
    Ok(client.api_keys().get_api_key(GetApiKeyRequest { name: name.to_owned() }).await?.into_inner())
}

async fn list(client: &Client, tenant: &str) -> Result<Vec<ApiKey>> {
    let request = ListApiKeysRequest { parent: tenant.to_owned(), ..ListApiKeysRequest::default() };
    Ok(client.api_keys().list_api_keys(request).await?.into_inner().api_keys)
}

/// What a caller may do now.
async fn permissions(client: &Client) -> Result<Vec<String>> {
    Ok(client.access().get_caller(GetCallerRequest {}).await?.into_inner().permissions)
}

/// A tenant with a key of its owner's, and a member.
async fn scene(stack: &Stack, role: &str) -> Result<(String, Client, Member, Client)> {
    let tenant = stack.operator.create_tenant("Keys").await?.name;
    let owner = stack.operator.with_key(&stack.operator.create_key(&tenant, "roles/owner").await?)?;
    let (member, secret) = owner.join(&tenant, "amina@example.org", role).await?;
    let client = stack.operator.with_key(&secret)?;
    Ok((tenant, owner, member, client))
}

fn personal(member: &Member) -> ApiKey {
    ApiKey { member: member.name.clone(), ..ApiKey::default() }
}

#[tokio::test]
async fn a_texter_lists_makes_rotates_and_revokes_their_own_keys_and_sees_no_others() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (tenant, owner, amina, texter) = scene(&stack, "roles/texter").await?;
    let (other, _) = owner.join(&tenant, "bo@example.org", "roles/texter").await?;
    let first = list(&texter, &tenant).await?;
    ensure!(first.len() == 1 && first[0].member == amina.name, "{first:?}");
    ensure!(list(&owner, &tenant).await?.len() == 3, "the owner sees all");

    let expire_time = after(HOUR)?;
    let (made, phone) = create(&texter, &tenant, ApiKey { expire_time, ..personal(&amina) }).await?;
    ensure!(made.member == amina.name && made.role.is_empty() && made.expire_time == expire_time, "{made:?}");
    ensure!(permissions(&phone).await? == permissions(&texter).await?);
    ensure!(get(&texter, &made.name).await?.hint == made.hint);
    let (rotated, phone) = rotate(&texter, &made.name, 0).await?;
    ensure!(rotated.expire_time == expire_time && list(&texter, &tenant).await?.len() == 2);
    // What was lost is revoked with what is left.
    delete(&texter, &first[0].name).await?;
    let out = async || Ok(permissions(&texter).await.is_err().then_some(()));
    wait::until("the lost key to be out", WITHIN, out).await?;
    ensure!(list(&phone, &tenant).await?.len() == 1);

    // Nobody makes one in the name of another, and it is one or the other.
    for caller in [&phone, &owner, &stack.operator] {
        let status = refusal(create(caller, &tenant, personal(&other)).await)?;
        ensure!(field(&status)? == "api_key.member", "{status:?}");
    }
    let both = ApiKey { role: "roles/texter".to_owned(), ..personal(&amina) };
    ensure!(field(&refusal(create(&phone, &tenant, both).await)?)? == "api_key.role");
    let programs = ApiKey { role: "roles/texter".to_owned(), ..ApiKey::default() };
    refused(create(&phone, &tenant, programs).await, Code::PermissionDenied)?;
    let theirs = list(&owner, &tenant).await?;
    for key in theirs.iter().filter(|key| key.member != amina.name) {
        refused(get(&phone, &key.name).await, Code::NotFound)?;
        refused(rotate(&phone, &key.name, 0).await, Code::NotFound)?;
        refused(delete(&phone, &key.name).await, Code::NotFound)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_personal_key_may_do_what_its_member_may_and_with_scopes_less() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (tenant, owner, amina, manager) = scene(&stack, "roles/campaignManager").await?;
    let (_, second) = create(&manager, &tenant, personal(&amina)).await?;
    let scopes = vec![TextingSend.name().to_owned()];
    let (_, scoped) = create(&manager, &tenant, ApiKey { scopes, ..personal(&amina) }).await?;
    ensure!(permissions(&scoped).await? == ["texting.send"]);
    // It makes none that is left when it is revoked, and gets at none that can do more.
    let again = ApiKey { scopes: vec![TextingSend.name().to_owned()], ..personal(&amina) };
    refused(create(&scoped, &tenant, again).await, Code::PermissionDenied)?;
    let full =
        list(&scoped, &tenant).await?.into_iter().find(|key| key.scopes.is_empty()).context("a key")?;
    refused(rotate(&scoped, &full.name, 0).await, Code::PermissionDenied)?;
    let beyond = ApiKey { scopes: vec![ApiKeysWrite.name().to_owned()], ..personal(&amina) };
    ensure!(field(&refusal(create(&manager, &tenant, beyond).await)?)? == "api_key.scopes");

    let member = Some(Member { role: "roles/viewer".to_owned(), ..amina.clone() });
    owner.members().update_member(UpdateMemberRequest { member, update_mask: None }).await?;
    for client in [&manager, &second] {
        let less =
            async || Ok((!permissions(client).await?.contains(&"campaigns.run".to_owned())).then_some(()));
        wait::until("the role to count", WITHIN, less).await?;
    }
    let nothing = async || Ok(permissions(&scoped).await?.is_empty().then_some(()));
    wait::until("the scope to be of no use", WITHIN, nothing).await
}

#[tokio::test]
async fn a_member_has_twenty_personal_keys_at_most() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (tenant, _, amina, texter) = scene(&stack, "roles/texter").await?;
    let all = (0..24).map(async |_| create(&texter, &tenant, personal(&amina)).await.map(drop));
    let answers = futures::future::join_all(all).await;
    // The first is that of the invitation.
    ensure!(answers.iter().filter(|answer| answer.is_ok()).count() == 19);
    for answer in answers.into_iter().filter(Result::is_err) {
        exceeded(&refusal(answer)?, "personal_keys_max", 20)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_key_makes_does_not_outlive_it() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let (tenant, _, amina, texter) = scene(&stack, "roles/texter").await?;
    let role = own_role(&stack.operator, &tenant, &[ApiKeysWrite]).await?;
    let draft = |expire_time| ApiKey { role: role.clone(), expire_time, ..ApiKey::default() };
    let (endless, _) = key(&stack.operator, &tenant, draft(None)).await?;
    let (ending, maker) = create(&stack.operator, &tenant, draft(after(HOUR)?)).await?;

    let (made, _) = create(&maker, &tenant, draft(None)).await?;
    ensure!(made.expire_time == ending.expire_time, "{made:?}, not the end of {ending:?}");
    let sooner = after(HOUR / 2)?;
    ensure!(create(&maker, &tenant, draft(sooner)).await?.0.expire_time == sooner);
    let status = refusal(create(&maker, &tenant, draft(after(2 * HOUR)?)).await)?;
    ensure!(field(&status)? == "api_key.expire_time", "{status:?}");
    refused(rotate(&maker, &endless, 0).await, Code::PermissionDenied)?;
    let (rotated, maker) = rotate(&maker, &ending.name, 0).await?;
    ensure!(rotated.expire_time == ending.expire_time);
    // And so on, from one to the next.
    ensure!(create(&maker, &tenant, draft(None)).await?.0.expire_time == ending.expire_time);

    // Nor is there a way round through somebody else, whose first key does not end.
    let role = own_role(&stack.operator, &tenant, &[MembersWrite]).await?;
    let ends = ApiKey { role: role.clone(), expire_time: after(HOUR)?, ..ApiKey::default() };
    let (_, inviter) = create(&stack.operator, &tenant, ends).await?;
    refused(inviter.join(&tenant, "zed@example.org", &role).await, Code::PermissionDenied)?;

    // A secret on its way out is bound by what it has left, though its key goes on.
    let (unbound, old) = create(&stack.operator, &tenant, draft(None)).await?;
    let (_, new) = rotate(&old, &unbound.name, 1_800).await?;
    let bound = async || Ok(create(&old, &tenant, draft(None)).await?.0.expire_time);
    let left = wait::until("the old secret to be known as one", WITHIN, bound).await?;
    ensure!(after(HOUR)?.is_some_and(|hour| left.seconds < hour.seconds), "{left:?}");
    refused(rotate(&old, &unbound.name, 0).await, Code::PermissionDenied)?;
    ensure!(create(&new, &tenant, draft(None)).await?.0.expire_time.is_none());

    // Members by their own keys likewise.
    let expire_time = after(HOUR)?;
    let (first, phone) = create(&texter, &tenant, ApiKey { expire_time, ..personal(&amina) }).await?;
    ensure!(create(&phone, &tenant, personal(&amina)).await?.0.expire_time == first.expire_time);
    let endless = list(&texter, &tenant).await?.into_iter().find(|key| key.expire_time.is_none());
    refused(rotate(&phone, &endless.context("a key")?.name, 0).await, Code::PermissionDenied)
}
