//! Calls about roles.

use anyhow::Result;
use muster_proto::v1::{DeleteRoleRequest, Role, UpdateRoleRequest};
use serde_json::{Value, json};

use super::creation::create_role;
use super::{Told, World, no_example};

impl World {
    pub(super) async fn roles(&self, rpc: &str) -> Result<Told> {
        let (client, [chosen, gone]) = (&self.organization.client, &self.roles);
        match rpc {
            "CreateRole" => {
                let role = create_role(client, &self.organization.tenant).await?;
                Ok(self.told(&role.name, Value::Null, json!({"permissions": ["campaigns.read"]})))
            }
            "UpdateRole" => {
                let permissions = vec!["numbers.read".to_owned()];
                let role = Role { name: chosen.name.clone(), permissions, ..Role::default() };
                let request = UpdateRoleRequest { role: Some(role), update_mask: None };
                client.roles().update_role(request).await?;
                let permissions = |permission: &str| json!({"permissions": [permission]});
                Ok(self.told(&chosen.name, permissions("campaigns.read"), permissions("numbers.read")))
            }
            "DeleteRole" => {
                client.roles().delete_role(DeleteRoleRequest { name: gone.name.clone() }).await?;
                Ok(self.told(&gone.name, json!({"name": gone.name}), Value::Null))
            }
            _ => no_example(rpc),
        }
    }
}
