//! Tenants: their life, settings and quotas.

use anyhow::{Context, Result};
use muster_proto::v1::{
    DeleteTenantRequest, GetTenantRequest, GetTenantUsageRequest, ResumeTenantRequest, SuspendTenantRequest,
    Tenant, TenantQuotas, TenantUsage, UndeleteTenantRequest, UpdateTenantRequest,
};
use prost_types::FieldMask;

use super::Client;

impl Client {
    /// Gets a tenant.
    pub async fn tenant(&self, name: &str) -> Result<Tenant> {
        let request = GetTenantRequest { name: name.to_owned() };
        Ok(self.tenants().get_tenant(request).await.context("get the tenant")?.into_inner())
    }

    /// Changes these fields of a tenant; without any, all that are not empty.
    pub async fn update_tenant(&self, tenant: Tenant, paths: &[&str]) -> Result<Tenant> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let update_mask = (!paths.is_empty()).then_some(FieldMask { paths });
        let request = UpdateTenantRequest { tenant: Some(tenant), update_mask };
        Ok(self.tenants().update_tenant(request).await.context("update the tenant")?.into_inner())
    }

    /// Gives a tenant quotas. Only an operator can.
    pub async fn set_quotas(&self, name: &str, quotas: TenantQuotas) -> Result<Tenant> {
        let tenant = Tenant { name: name.to_owned(), quotas: Some(quotas), ..Tenant::default() };
        self.update_tenant(tenant, &["quotas"]).await
    }

    /// How much of its quotas a tenant has used.
    pub async fn usage(&self, name: &str) -> Result<TenantUsage> {
        let request = GetTenantUsageRequest { name: name.to_owned() };
        Ok(self.tenants().get_tenant_usage(request).await.context("get the usage")?.into_inner())
    }

    /// Suspends a tenant. Only an operator can.
    pub async fn suspend_tenant(&self, name: &str, reason: &str) -> Result<Tenant> {
        let request = SuspendTenantRequest { name: name.to_owned(), reason: reason.to_owned() };
        Ok(self.tenants().suspend_tenant(request).await.context("suspend the tenant")?.into_inner())
    }

    /// Lets a suspended tenant go on. Only an operator can.
    pub async fn resume_tenant(&self, name: &str) -> Result<Tenant> {
        let request = ResumeTenantRequest { name: name.to_owned() };
        Ok(self.tenants().resume_tenant(request).await.context("resume the tenant")?.into_inner())
    }

    /// Deletes a tenant; with an etag, only as it was read.
    pub async fn delete_tenant(&self, name: &str, etag: &str) -> Result<Tenant> {
        let request = DeleteTenantRequest { name: name.to_owned(), etag: etag.to_owned() };
        Ok(self.tenants().delete_tenant(request).await.context("delete the tenant")?.into_inner())
    }

    /// Takes the deletion of a tenant back. Only an operator can.
    pub async fn undelete_tenant(&self, name: &str) -> Result<Tenant> {
        let request = UndeleteTenantRequest { name: name.to_owned() };
        Ok(self.tenants().undelete_tenant(request).await.context("undelete the tenant")?.into_inner())
    }
}
