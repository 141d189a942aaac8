//! The one table of the API: for each rpc, what a caller needs, and the fields that name resources. What is not in it
//! cannot be called. A service does not start while the table and the protos differ, and the tests walk it, rpc by rpc
//! and role by role.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use anyhow::{Context as _, ensure};
use muster_domain::permission::Permission::{self, *};
use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::Caller;
use crate::{Error, Result};

/// What a caller needs for an rpc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// No credential: the request itself brings the proof.
    Nothing,
    /// Any valid credential.
    Caller,
    /// A permission.
    One(Permission),
    /// One of two permissions: the second shows or allows less, and the handler sees to that.
    Either(Permission, Permission),
    /// Any of these: what may be seen then depends on which, and the handler sees to that.
    Any(&'static [Permission]),
    /// A permission; or to be a member, where the call is about what is the member's own. Only the handler can tell that:
    /// it treats everything else as if it were not there.
    Own(Permission),
    /// To run the platform.
    Operator,
}

impl Needs {
    /// Whether `caller` has what is needed.
    pub fn met_by(self, caller: Caller) -> bool {
        match self {
            Self::Nothing | Self::Caller => true,
            Self::One(permission) => caller.may(permission),
            Self::Either(permission, less) => caller.may(permission) || caller.may(less),
            Self::Any(permissions) => permissions.iter().any(|permission| caller.may(*permission)),
            Self::Own(permission) => caller.may(permission) || caller.member().is_some(),
            Self::Operator => caller == Caller::Operator,
        }
    }
}

/// A field that names a resource, and the form of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its path in the request, such as `campaign.contact_list`.
    pub field: &'static str,
    /// The form of the name, such as `tenants/*/contactLists/*`.
    pub pattern: &'static str,
}

/// What the table says of one rpc.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The service, such as `CampaignService`.
    pub service: &'static str,
    /// The rpc, such as `CreateCampaign`.
    pub method: &'static str,
    /// What a caller needs.
    pub needs: Needs,
    /// The resource that it is about; where that is another tenant's it is NOT_FOUND, as if it were not there.
    pub about: Option<Named>,
    /// Other resources that it names; where one is another tenant's the call is INVALID_ARGUMENT.
    pub refers_to: &'static [Named],
    /// Whether it changes anything.
    pub changes: bool,
}

const fn named(field: &'static str, pattern: &'static str) -> Named {
    Named { field, pattern }
}

const TENANT: &str = "tenants/*";
const CONTACT_LIST: &str = "tenants/*/contactLists/*";
const ACCOUNT: &str = "tenants/*/providerAccounts/*";
const POOL: &str = "tenants/*/numberPools/*";
const CAMPAIGN: &str = "tenants/*/campaigns/*";
const MESSAGE: &str = "tenants/*/messages/*";
const NUMBER: &str = "tenants/*/phoneNumbers/*";
const API_KEY: &str = "tenants/*/apiKeys/*";
const ROLE: &str = "tenants/*/roles/*";
const ROUTE: &str = "tenants/*/routes/*";
const MEMBER: &str = "tenants/*/members/*";
const CONVERSATION: &str = "tenants/*/conversations/*";
const REPLY_MEDIUM: &str = "tenants/*/replies/*/media/*";
const INVITATION: &str = "tenants/*/invitations/*";

macro_rules! rules {
    ($($service:ident { $($verb:ident $method:ident: $needs:expr $(, $field:literal = $pattern:ident)?
        $(; $($other:literal = $other_pattern:ident),+)?;)* })*) => {
        /// The table.
        pub const TABLE: &[Rule] = &[$($(Rule {
            service: stringify!($service),
            method: stringify!($method),
            needs: $needs,
            about: rules!(@about $($field = $pattern)?),
            refers_to: &[$($(named($other, $other_pattern)),+)?],
            changes: rules!(@changes $verb),
        },)*)*];
    };
    (@about) => { None };
    (@about $field:literal = $pattern:ident) => { Some(named($field, $pattern)) };
    (@changes reads) => { false };
    (@changes changes) => { true };
}

/// One permission.
const fn one(permission: Permission) -> Needs {
    Needs::One(permission)
}

/// One permission, or none for what is a member's own.
const fn own(permission: Permission) -> Needs {
    Needs::Own(permission)
}

/// To see all conversations, or one's own.
const CONVERSATIONS: Needs = Needs::Either(ConversationsRead, ConversationsReadAssigned);

rules! {
    AccessService {
        reads GetCaller: Needs::Caller;
    }
    ApiKeyService {
        // `api_key.member` refers to nobody: it says that the key is to be the caller's own.
        changes CreateApiKey: own(ApiKeysWrite), "parent" = TENANT; "api_key.role" = ROLE;
        reads GetApiKey: own(ApiKeysRead), "name" = API_KEY;
        reads ListApiKeys: own(ApiKeysRead), "parent" = TENANT;
        changes RotateApiKey: own(ApiKeysWrite), "name" = API_KEY;
        changes DeleteApiKey: own(ApiKeysWrite), "name" = API_KEY;
    }
    AuditService {
        reads ListAuditEntries: one(AuditRead), "parent" = TENANT;
        reads ExportAuditLog: one(AuditRead), "parent" = TENANT;
        reads VerifyAuditLog: one(AuditRead), "parent" = TENANT;
    }
    CampaignService {
        changes CreateCampaign: one(CampaignsWrite), "parent" = TENANT;
            "campaign.contact_list" = CONTACT_LIST, "campaign.number_pool" = POOL;
        reads GetCampaign: one(CampaignsRead), "name" = CAMPAIGN;
        reads ListCampaigns: one(CampaignsRead), "parent" = TENANT;
        changes StartCampaign: one(CampaignsRun), "name" = CAMPAIGN;
        changes PauseCampaign: one(CampaignsRun), "name" = CAMPAIGN;
        changes ResumeCampaign: one(CampaignsRun), "name" = CAMPAIGN;
        changes CancelCampaign: one(CampaignsRun), "name" = CAMPAIGN;
        reads GetCampaignReport: one(CampaignsRead), "name" = CAMPAIGN;
    }
    ContactListService {
        changes CreateContactList: one(ContactsWrite), "parent" = TENANT;
        reads GetContactList: one(ContactsRead), "name" = CONTACT_LIST;
        reads ListContactLists: one(ContactsRead), "parent" = TENANT;
        changes ImportContacts: one(ContactsWrite), "start.contact_list" = CONTACT_LIST;
        reads ListContacts: one(ContactsRead), "parent" = CONTACT_LIST;
        reads ListRejectedRows: one(ContactsRead), "parent" = CONTACT_LIST;
    }
    ConversationService {
        reads GetConversation: CONVERSATIONS, "name" = CONVERSATION;
        reads ListConversations: CONVERSATIONS, "parent" = TENANT; "campaign" = CAMPAIGN;
        reads ListConversationTexts: CONVERSATIONS, "parent" = CONVERSATION;
        reads ListReplies: CONVERSATIONS, "parent" = TENANT;
        reads ReadReplyMedia: CONVERSATIONS, "name" = REPLY_MEDIUM;
        reads ListOptOuts: one(OptOutsRead), "parent" = TENANT;
    }
    EventService {
        reads WatchEvents: Needs::Any(&[MessagesRead, ConversationsRead, OptOutsRead, CampaignsRead, NumbersRead]),
            "parent" = TENANT; "campaign" = CAMPAIGN, "message" = MESSAGE, "phone_number" = NUMBER;
    }
    MemberService {
        changes CreateInvitation: one(MembersWrite), "parent" = TENANT; "invitation.role" = ROLE;
        reads ListInvitations: one(MembersRead), "parent" = TENANT;
        changes DeleteInvitation: one(MembersWrite), "name" = INVITATION;
        changes AcceptInvitation: Needs::Nothing;
        reads GetMember: one(MembersRead), "name" = MEMBER;
        reads ListMembers: one(MembersRead), "parent" = TENANT;
        changes UpdateMember: one(MembersWrite), "member.name" = MEMBER; "member.role" = ROLE;
        changes DeleteMember: one(MembersWrite), "name" = MEMBER;
    }
    MessageService {
        reads GetMessage: one(MessagesRead), "name" = MESSAGE;
        reads ListMessages: one(MessagesRead), "parent" = TENANT; "campaign" = CAMPAIGN;
    }
    NumberService {
        changes CreateNumberPool: one(NumbersWrite), "parent" = TENANT;
        reads GetNumberPool: one(NumbersRead), "name" = POOL;
        reads ListNumberPools: one(NumbersRead), "parent" = TENANT;
        changes CreatePhoneNumber: one(NumbersWrite), "parent" = TENANT;
            "phone_number.number_pool" = POOL, "phone_number.provider_account" = ACCOUNT;
        changes BatchCreatePhoneNumbers: one(NumbersWrite), "parent" = TENANT;
        reads GetPhoneNumber: one(NumbersRead), "name" = NUMBER;
        reads ListPhoneNumbers: one(NumbersRead), "parent" = TENANT; "number_pool" = POOL;
    }
    ProviderAccountService {
        changes CreateProviderAccount: one(ProviderAccountsWrite), "parent" = TENANT;
        reads GetProviderAccount: one(ProviderAccountsRead), "name" = ACCOUNT;
        reads ListProviderAccounts: one(ProviderAccountsRead), "parent" = TENANT;
        changes UpdateProviderAccount: one(ProviderAccountsWrite), "provider_account.name" = ACCOUNT;
    }
    RoleService {
        changes CreateRole: one(RolesWrite), "parent" = TENANT;
        reads GetRole: one(MembersRead), "name" = ROLE;
        reads ListRoles: one(MembersRead), "parent" = TENANT;
        changes UpdateRole: one(RolesWrite), "role.name" = ROLE;
        changes DeleteRole: one(RolesWrite), "name" = ROLE;
    }
    RouteService {
        changes CreateRoute: one(ProviderAccountsWrite), "parent" = TENANT; "route.provider_account" = ACCOUNT;
        reads GetRoute: one(ProviderAccountsRead), "name" = ROUTE;
        reads ListRoutes: one(ProviderAccountsRead), "parent" = TENANT;
        changes UpdateRoute: one(ProviderAccountsWrite), "route.name" = ROUTE;
        changes DeleteRoute: one(ProviderAccountsWrite), "name" = ROUTE;
    }
    TenantService {
        changes CreateTenant: Needs::Operator;
        reads GetTenant: one(TenantRead), "name" = TENANT;
        reads ListTenants: Needs::Operator;
        changes UpdateTenant: one(TenantWrite), "tenant.name" = TENANT; "tenant.settings.default_number_pool" = POOL;
        reads GetTenantUsage: one(TenantRead), "name" = TENANT;
        changes SuspendTenant: Needs::Operator, "name" = TENANT;
        changes ResumeTenant: Needs::Operator, "name" = TENANT;
        changes DeleteTenant: one(TenantDelete), "name" = TENANT;
        changes UndeleteTenant: Needs::Operator, "name" = TENANT;
    }
    TextingService {
        changes ClaimContacts: Needs::Either(TextingDelegate, TextingSend), "campaign" = CAMPAIGN;
        changes SendMessage: Needs::Either(TextingDelegate, TextingSend), "name" = MESSAGE;
    }
}

/// What comes before a service's name in a path.
pub const PACKAGE: &str = "muster.v1";

static BY_PATH: LazyLock<HashMap<String, &'static Rule>> = LazyLock::new(|| {
    TABLE.iter().map(|rule| (format!("/{PACKAGE}.{}/{}", rule.service, rule.method), rule)).collect()
});

/// What the table says of the rpc at `path`, such as `/muster.v1.CampaignService/GetCampaign`.
pub fn rule(path: &str) -> Option<&'static Rule> {
    BY_PATH.get(path).copied()
}

impl Rule {
    /// Refuses a caller who has not what is needed.
    ///
    /// # Errors
    /// PERMISSION_DENIED, naming what is missing.
    pub fn admit(&self, caller: Caller) -> Result<()> {
        if self.needs.met_by(caller) {
            return Ok(());
        }
        match self.needs {
            Needs::One(permission) | Needs::Either(_, permission) | Needs::Own(permission) => {
                caller.needs(permission)
            }
            Needs::Any(permissions) => {
                let names: Vec<_> = permissions.iter().map(|permission| permission.name()).collect();
                Err(Error::forbidden(format!("this needs one of the permissions {}", names.join(", "))))
            }
            Needs::Operator => caller.operator_only(),
            Needs::Nothing | Needs::Caller => Err(Error::forbidden("this cannot be called")),
        }
    }
}

/// Checks that the table has a rule for every rpc of the public API, none twice and none for another.
///
/// # Errors
/// Names the rpcs: a fault of the build.
pub fn check() -> anyhow::Result<()> {
    let files =
        FileDescriptorSet::decode(muster_proto::PUBLIC_DESCRIPTORS).context("the descriptors of the API")?;
    let mut rpcs = HashSet::new();
    for file in files.file.iter().filter(|file| file.package() == PACKAGE) {
        for service in &file.service {
            rpcs.extend(
                service.method.iter().map(|rpc| format!("/{PACKAGE}.{}/{}", service.name(), rpc.name())),
            );
        }
    }
    let ruled: HashSet<String> = BY_PATH.keys().cloned().collect();
    ensure!(ruled.len() == TABLE.len(), "the access table has a rule twice");
    let mut missing: Vec<&String> = rpcs.symmetric_difference(&ruled).collect();
    missing.sort_unstable();
    ensure!(missing.is_empty(), "the access table and the API differ in {missing:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpc_has_its_rule() {
        check().expect("table and API agree");
    }

    #[test]
    fn what_changes_something_needs_more_than_to_read() {
        for rule in TABLE {
            let reads = |permission: Permission| permission.name().contains(".read");
            let by_reading = match rule.needs {
                Needs::One(permission) | Needs::Own(permission) => reads(permission),
                Needs::Either(a, b) => reads(a) || reads(b),
                Needs::Any(permissions) => permissions.iter().any(|permission| reads(*permission)),
                Needs::Nothing | Needs::Caller | Needs::Operator => false,
            };
            assert!(!(rule.changes && by_reading), "{rule:?}");
        }
    }
}
