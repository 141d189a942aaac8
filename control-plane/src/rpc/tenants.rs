//! Tenants.

use muster_domain::id::TenantId;
use muster_proto::v1::tenant_service_server::TenantService;
use muster_proto::v1::{
    CreateTenantRequest, GetTenantRequest, ListTenantsRequest, ListTenantsResponse, Tenant,
};
use muster_runtime::{Error, clock, name};
use tonic::{Request, Response, Status};

use crate::audit::Act;
use crate::db::SystemTx;
use crate::rpc::{Api, caller, display_name, page, required};
use crate::store::tenants::{self, tenant_get, tenant_insert, tenants_list};

fn encode(tenant: tenants::Tenant) -> Tenant {
    Tenant {
        name: name::format("tenants/*", &[tenant.id.0]),
        display_name: tenant.display_name,
        broadcast_allowed: tenant.broadcast_allowed,
        create_time: Some(tenant.create_time.timestamp()),
    }
}

#[tonic::async_trait]
impl TenantService for Api {
    async fn create_tenant(&self, request: Request<CreateTenantRequest>) -> Result<Response<Tenant>, Status> {
        let (_, act) = Act::of(&request)?;
        let wanted = required(request.into_inner().tenant, "tenant")?;
        let title = display_name(&wanted.display_name, "tenant.display_name")?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let id = TenantId(clock::new_id());
        let tenant = encode(tenant_insert(&tx, id, &title, wanted.broadcast_allowed).await?);
        tx.narrow(id).await?.commit(act.created(&tenant)?).await?;
        Ok(Response::new(tenant))
    }

    async fn get_tenant(&self, request: Request<GetTenantRequest>) -> Result<Response<Tenant>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let [id] = name::parse("tenants/*", &name, "name")?;
        let id = caller.tenant(id, &name)?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let tenant = tenant_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode(tenant)))
    }

    async fn list_tenants(
        &self,
        request: Request<ListTenantsRequest>,
    ) -> Result<Response<ListTenantsResponse>, Status> {
        let request = request.into_inner();
        let ask = page::Request {
            size: request.page_size,
            token: &request.page_token,
            scope: "tenants".to_owned(),
        };
        let page = ask.page()?;
        let mut client = self.db.system().await?;
        let tx = SystemTx::begin(&mut client).await?;
        let mut tenants = tenants_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut tenants, &page, |tenant| tenant.id.0);
        let tenants = tenants.into_iter().map(encode).collect();
        Ok(Response::new(ListTenantsResponse { tenants, next_page_token }))
    }
}
