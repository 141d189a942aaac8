//! Quotas: how much a tenant may have and do. An operator gives a tenant numbers of its own; where one is 0, the
//! platform's applies. What counts against a quota is counted where the work is done: texts in `work/daily.rs`, segments
//! in `work/pace.rs`, calls in `rate.rs`, and things that are created under a lock of the tenant's row. What no quota counts
//! has a [`Bound`] that is the same for all.

use muster_domain::id::TenantId;
use muster_runtime::{Error, Result, name};

/// One quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quota {
    /// Texts in a calendar day in UTC.
    TextsPerDay,
    /// Segments in a second, over all numbers.
    SegmentsPerSecond,
    /// Calls of the API in a second, to one process.
    ApiCallsPerSecond,
    /// Contact lists.
    ContactLists,
    /// Contacts in one list.
    ContactsPerList,
    /// Rows of one import.
    ImportRows,
    /// Members, and invitations that are open.
    Members,
    /// API keys that are not personal ones.
    ApiKeys,
}

impl Quota {
    /// All there are, in the order of [`Quotas`].
    pub(crate) const ALL: [Self; 8] = [
        Self::TextsPerDay,
        Self::SegmentsPerSecond,
        Self::ApiCallsPerSecond,
        Self::ContactLists,
        Self::ContactsPerList,
        Self::ImportRows,
        Self::Members,
        Self::ApiKeys,
    ];

    /// Its name, in the API and in the database.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TextsPerDay => "texts_per_day",
            Self::SegmentsPerSecond => "segments_per_second",
            Self::ApiCallsPerSecond => "api_calls_per_second",
            Self::ContactLists => "contact_lists_max",
            Self::ContactsPerList => "contacts_per_list_max",
            Self::ImportRows => "import_rows_max",
            Self::Members => "members_max",
            Self::ApiKeys => "api_keys_max",
        }
    }

    /// The platform's number, for tenants without one of their own; 0 where it sets none. A text is bounded by numbers,
    /// providers and budgets; everything else would grow as long as a program of a tenant's goes wild.
    const fn platform(self) -> i64 {
        match self {
            Self::TextsPerDay | Self::SegmentsPerSecond => 0,
            Self::ApiCallsPerSecond | Self::ApiKeys => 1_000,
            Self::ContactLists | Self::Members => 10_000,
            Self::ContactsPerList | Self::ImportRows => 10_000_000,
        }
    }

    /// Refuses to go beyond `limit`.
    pub(crate) fn exceeded(self, tenant: TenantId, limit: i64) -> Error {
        Error::quota_exceeded(name::format("tenants/*", &[tenant.0]), self.name(), limit)
    }
}

/// A tenant's own quotas, in the order of [`Quota::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quotas(pub(crate) [i64; 8]);

impl Quotas {
    /// The tenant's own number; 0 where it has none.
    pub(crate) fn own(self, quota: Quota) -> i64 {
        self.0[quota as usize]
    }

    /// Gives the tenant a number of its own, or with 0 takes it away.
    pub(crate) fn set(&mut self, quota: Quota, own: i64) {
        self.0[quota as usize] = own;
    }

    /// The number that applies; `None` where there is none.
    pub(crate) fn limit(self, quota: Quota) -> Option<i64> {
        [self.own(quota), quota.platform()].into_iter().find(|number| *number > 0)
    }

    /// Refuses one more where there are `count` already. Nobody else may add one meanwhile: the tenant's row is locked.
    pub(crate) fn one_more(self, quota: Quota, tenant: TenantId, count: i64) -> Result<()> {
        match self.limit(quota) {
            Some(limit) if count >= limit => Err(quota.exceeded(tenant, limit)),
            Some(_) | None => Ok(()),
        }
    }
}

/// A bound that is the same everywhere, far beyond what any organization needs: it keeps a program that goes wild from
/// filling the database, and nobody can set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Roles of a tenant's own.
    Roles,
    /// A tenant's number pools.
    NumberPools,
    /// A tenant's provider accounts.
    ProviderAccounts,
    /// A tenant's phone numbers.
    PhoneNumbers,
    /// A tenant's campaigns, those that have ended among them.
    Campaigns,
    /// A member's personal keys.
    PersonalKeys,
}

impl Bound {
    /// Its name in the API.
    const fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles_max",
            Self::NumberPools => "number_pools_max",
            Self::ProviderAccounts => "provider_accounts_max",
            Self::PhoneNumbers => "phone_numbers_max",
            Self::Campaigns => "campaigns_max",
            Self::PersonalKeys => "personal_keys_max",
        }
    }

    /// How many there may be.
    const fn max(self) -> i64 {
        match self {
            Self::PersonalKeys => 20,
            Self::ProviderAccounts => 100,
            Self::Roles | Self::NumberPools => 1_000,
            Self::PhoneNumbers | Self::Campaigns => 100_000,
        }
    }

    /// Refuses `more` where `owner`, a resource name, has `count` already. Nobody else may add one meanwhile: the tenant's
    /// row is locked.
    pub(crate) fn room_for(self, more: usize, owner: &str, count: i64) -> Result<()> {
        let left = usize::try_from(self.max() - count).unwrap_or(0);
        if more <= left {
            Ok(())
        } else {
            Err(Error::quota_exceeded(owner.to_owned(), self.name(), self.max()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_own_number_goes_before_the_platforms() {
        let mut quotas = Quotas::default();
        assert_eq!(quotas.limit(Quota::TextsPerDay), None);
        assert_eq!(quotas.limit(Quota::ApiKeys), Some(1_000));
        quotas.set(Quota::ApiKeys, 5_000);
        quotas.set(Quota::TextsPerDay, 7);
        assert_eq!(quotas.limit(Quota::ApiKeys), Some(5_000));
        assert_eq!(quotas.limit(Quota::TextsPerDay), Some(7));
        assert_eq!(quotas.own(Quota::Members), 0);
    }

    #[test]
    fn the_last_one_that_is_allowed_is_allowed() {
        let mut quotas = Quotas::default();
        quotas.set(Quota::Members, 3);
        let tenant = TenantId(uuid::Uuid::nil());
        assert!(quotas.one_more(Quota::Members, tenant, 2).is_ok());
        assert!(quotas.one_more(Quota::Members, tenant, 3).is_err());
        assert!(quotas.one_more(Quota::TextsPerDay, tenant, i64::MAX).is_ok());
    }

    #[test]
    fn what_is_bounded_everywhere_is_bounded_at_the_last_one() {
        assert!(Bound::PersonalKeys.room_for(1, "tenants/1/members/2", 19).is_ok());
        assert!(Bound::PersonalKeys.room_for(1, "tenants/1/members/2", 20).is_err());
        assert!(Bound::PhoneNumbers.room_for(1_000, "tenants/1", 99_000).is_ok());
        assert!(Bound::PhoneNumbers.room_for(1_000, "tenants/1", 99_001).is_err());
        assert!(Bound::Roles.room_for(1, "tenants/1", 5_000).is_err());
    }

    #[test]
    fn quotas_are_in_their_order() {
        for (at, quota) in Quota::ALL.into_iter().enumerate() {
            assert_eq!(quota as usize, at);
        }
    }
}
