//! The audit log.

use anyhow::{Context, Result};
use muster_proto::v1::{
    AuditEntry, ExportAuditLogRequest, ExportAuditLogResponse, ListAuditEntriesRequest,
    VerifyAuditLogRequest, VerifyAuditLogResponse,
};

use super::{Client, all_pages};

impl Client {
    /// All entries that a request is about, page by page.
    pub async fn list_audit_entries(&self, wanted: ListAuditEntriesRequest) -> Result<Vec<AuditEntry>> {
        all_pages(async |page_token| {
            let request = ListAuditEntriesRequest { page_token, ..wanted.clone() };
            let page = self.audit().list_audit_entries(request).await.context("list audit entries")?;
            let page = page.into_inner();
            Ok((page.audit_entries, page.next_page_token))
        })
        .await
    }

    /// A tenant's whole audit log, oldest entry first.
    pub async fn audit_log(&self, tenant: &str) -> Result<Vec<AuditEntry>> {
        let wanted = ListAuditEntriesRequest { parent: tenant.to_owned(), ..Default::default() };
        self.list_audit_entries(wanted).await
    }

    /// The parts of an export from an entry on.
    pub async fn export_audit_log(&self, tenant: &str, start: i64) -> Result<Vec<ExportAuditLogResponse>> {
        let request = ExportAuditLogRequest { parent: tenant.to_owned(), start_sequence: start };
        let mut stream = self.audit().export_audit_log(request).await.context("export")?.into_inner();
        let mut parts = Vec::new();
        while let Some(part) = stream.message().await.context("export")? {
            parts.push(part);
        }
        Ok(parts)
    }

    /// Verifies a tenant's audit log, against what is known of one entry: its sequence and its hash.
    pub async fn verify_audit_log(
        &self,
        tenant: &str,
        known: Option<(i64, Vec<u8>)>,
    ) -> Result<VerifyAuditLogResponse> {
        let (known_sequence, known_hash) = known.unwrap_or_default();
        let request = VerifyAuditLogRequest { parent: tenant.to_owned(), known_sequence, known_hash };
        Ok(self.audit().verify_audit_log(request).await.context("verify")?.into_inner())
    }
}
