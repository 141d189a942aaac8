//! Calls about routes.

use anyhow::Result;
use muster_proto::v1::{DeleteRouteRequest, Provider, ProviderAccount, Route, UpdateRouteRequest};
use muster_tests::Client;
use serde_json::{Value, json};

use super::{Told, World, no_example};

/// An account that nothing is sent through.
pub(super) async fn further_account(client: &Client, tenant: &str) -> Result<String> {
    let account = ProviderAccount {
        display_name: "Further".to_owned(),
        provider: Provider::Twilio.into(),
        account_sid: "AC1".to_owned(),
        api_secret: "secret-of-a-further-account".to_owned(),
        ..ProviderAccount::default()
    };
    Ok(client.create_account(tenant, account).await?.name)
}

pub(super) async fn route(client: &Client, account: &str) -> Result<Route> {
    let tenant = account.split("/providerAccounts/").next().unwrap_or_default();
    client.create_route(tenant, Route { provider_account: account.to_owned(), ..Route::default() }).await
}

impl World {
    pub(super) async fn routes(&self, rpc: &str) -> Result<Told> {
        let (client, [chosen, gone]) = (&self.organization.client, &self.routes);
        match rpc {
            "CreateRoute" => {
                let route = route(client, &self.account).await?;
                let after = json!({"providerAccount": self.account, "weight": 1});
                Ok(self.told(&route.name, Value::Null, after))
            }
            "UpdateRoute" => {
                let route = Route { name: chosen.name.clone(), weight: 7, ..Route::default() };
                let request = UpdateRouteRequest { route: Some(route), update_mask: None };
                client.routes().update_route(request).await?;
                Ok(self.told(&chosen.name, json!({"weight": 1}), json!({"weight": 7})))
            }
            "DeleteRoute" => {
                client.routes().delete_route(DeleteRouteRequest { name: gone.name.clone() }).await?;
                Ok(self.told(&gone.name, json!({"name": gone.name}), Value::Null))
            }
            _ => no_example(rpc),
        }
    }
}
