//! How messages with secrets print: without them.

use std::fmt;

use crate::{internal, v1};

impl fmt::Debug for v1::ProviderAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderAccount")
            .field("name", &self.name)
            .field("display_name", &self.display_name)
            .field("provider", &self.provider())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for internal::v1::Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("account_id", &self.account_id)
            .field("tenant_id", &self.tenant_id)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for internal::v1::GetWebhookAccountRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetWebhookAccountRequest").finish_non_exhaustive()
    }
}

impl fmt::Debug for internal::v1::Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Medium").field("medium_id", &self.medium_id).finish_non_exhaustive()
    }
}
