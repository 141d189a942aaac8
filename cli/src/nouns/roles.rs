//! Named sets of permissions.

use clap::Args;
use muster_proto::v1::{
    CreateRoleRequest, DeleteRoleRequest, GetRoleRequest, ListRolesRequest, Role, UpdateRoleRequest,
};

use crate::failure::Result;
use crate::flags::Mask;
use crate::resource::ROLE;
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn noun() -> Noun {
    Noun {
        name: "roles",
        about: "Named sets of permissions",
        verbs: vec![
            Verb::call("create", "Create a role of the tenant's own", create),
            Verb::named::<GetRoleRequest>("get", "Show a role of the tenant's own", ROLE),
            Verb::list::<ListRolesRequest>("list", "List roles", &["name", "display_name", "permissions"]),
            Verb::call("update", "Change a role of the tenant's own", update),
            Verb::named::<DeleteRoleRequest>("delete", "Delete a role of the tenant's own", ROLE).asks(),
        ],
    }
}

#[derive(Args)]
struct Create {
    /// What people call it
    display_name: String,
    /// A permission, such as campaigns.run; can be repeated
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
}

async fn create(session: &Session, flags: Create) -> Result<CreateRoleRequest> {
    let role = Role { display_name: flags.display_name, permissions: flags.permissions, ..Role::default() };
    Ok(CreateRoleRequest { parent: session.tenant().await?, role: Some(role) })
}

#[derive(Args)]
struct Update {
    /// The role: its id, its resource name, or what people call it
    role: String,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// A permission that it has from now on, without those it had; can be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Option<Vec<String>>,
}

async fn update(session: &Session, flags: Update) -> Result<UpdateRoleRequest> {
    let mut mask = Mask::default();
    let role = Role {
        name: ROLE.resolve(session, &flags.role).await?,
        display_name: mask.take("display_name", flags.display_name),
        permissions: mask.take("permissions", flags.permissions),
        ..Role::default()
    };
    Ok(UpdateRoleRequest { role: Some(role), update_mask: mask.done()? })
}
