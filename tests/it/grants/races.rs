//! Roles that are deleted while somebody gets them.

use anyhow::{Context as _, Result, ensure};
use muster_domain::permission::Permission;
use muster_proto::v1::DeleteRoleRequest;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{Grantor, ROUNDS, accept, plain, tenant};
use crate::access::people::own_role;
use crate::scene;

/// The reason and the field that a call was refused with.
fn why<T>(answer: Result<T>) -> Result<(Code, String)> {
    let status = scene::refusal(answer)?;
    let field =
        status.get_details_bad_request().and_then(|request| request.field_violations.into_iter().next());
    let reason = status.get_details_error_info().map(|info| info.reason);
    Ok((status.code(), field.map(|field| field.field).or(reason).unwrap_or_default()))
}

#[tokio::test]
async fn a_role_is_deleted_or_given_to_somebody_and_nobody_waits_for_the_other() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let tenant = &tenant(&stack).await?;
    let operator = Grantor { client: stack.operator.clone(), tenant };
    for round in 0..ROUNDS {
        let role = own_role(&stack.operator, tenant, &[Permission::CampaignsRead]).await?;
        let delete = async || {
            let request = DeleteRoleRequest { name: role.clone() };
            plain(stack.operator.roles().delete_role(request).await)
        };
        // Who has an invitation with it comes in, and the role stays.
        let invited = operator.invite(&format!("in-{round}@example.org"), &role).await?;
        let (accepted, deleted) = tokio::join!(accept(&stack, &invited.token), delete());
        accepted.with_context(|| format!("round {round}"))?;
        ensure!(why(deleted)? == (Code::FailedPrecondition, "ROLE_IN_USE".to_owned()), "round {round}");

        let role = own_role(&stack.operator, tenant, &[Permission::CampaignsRead]).await?;
        let delete = DeleteRoleRequest { name: role.clone() };
        let email = format!("or-not-{round}@example.org");
        let (deleted, invited, key) = tokio::join!(
            async { plain(stack.operator.roles().delete_role(delete).await) },
            operator.invite(&email, &role),
            operator.key(&role, &[])
        );
        if deleted.is_ok() {
            // It is the role that is missing, not the tenant.
            ensure!(why(invited)? == (Code::InvalidArgument, "invitation.role".to_owned()), "round {round}");
            ensure!(why(key)? == (Code::InvalidArgument, "api_key.role".to_owned()), "round {round}");
        } else {
            ensure!(why(deleted)? == (Code::FailedPrecondition, "ROLE_IN_USE".to_owned()), "round {round}");
            ensure!(invited.is_ok() || key.is_ok(), "round {round}: {invited:?}, {key:?}");
        }
    }
    Ok(())
}
