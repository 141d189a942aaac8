//! What a caller may do: permissions, sets of them, and the roles that every tenant has.
//!
//! A permission is a pair of a kind of thing and a verb, such as `campaigns.run`. What has only been read once as text
//! is a set of bits from then on.

use std::fmt;

macro_rules! permissions {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// Something that a caller may or may not do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Permission {
            $($(#[doc = $doc])* $name,)*
        }

        impl Permission {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name, such as `campaigns.run`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

permissions! {
    /// See the tenant, its settings and its quotas.
    TenantRead = "tenant.read",
    /// Change the tenant's own settings.
    TenantWrite = "tenant.write",
    /// Delete the tenant.
    TenantDelete = "tenant.delete",
    /// See members, invitations and roles.
    MembersRead = "members.read",
    /// Invite, change and remove members.
    MembersWrite = "members.write",
    /// Make, change and delete the tenant's own roles.
    RolesWrite = "roles.write",
    /// See API keys, never their secrets.
    ApiKeysRead = "apiKeys.read",
    /// Create, rotate and revoke API keys.
    ApiKeysWrite = "apiKeys.write",
    /// See provider accounts, never their secrets.
    ProviderAccountsRead = "providerAccounts.read",
    /// Create and change provider accounts.
    ProviderAccountsWrite = "providerAccounts.write",
    /// See number pools and phone numbers.
    NumbersRead = "numbers.read",
    /// Create number pools and phone numbers.
    NumbersWrite = "numbers.write",
    /// See contact lists, their contacts and the rows that were rejected.
    ContactsRead = "contacts.read",
    /// Create contact lists and import contacts.
    ContactsWrite = "contacts.write",
    /// See campaigns and their reports.
    CampaignsRead = "campaigns.read",
    /// Create campaigns.
    CampaignsWrite = "campaigns.write",
    /// Start, pause, resume and cancel campaigns.
    CampaignsRun = "campaigns.run",
    /// Take contacts of a click campaign and send to each, as oneself.
    TextingSend = "texting.send",
    /// Take contacts and send in the name of any texter: for an organization's own front end.
    TextingDelegate = "texting.delegate",
    /// See messages with their history, and watch their changes of status.
    MessagesRead = "messages.read",
    /// See all replies.
    ConversationsRead = "conversations.read",
    /// See the replies of the people whom one has texted oneself.
    ConversationsReadAssigned = "conversations.readAssigned",
    /// See who has opted out.
    OptOutsRead = "optOuts.read",
    /// See, export and verify the audit log.
    AuditRead = "audit.read",
}

impl Permission {
    /// The permission of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    const fn bit(self) -> u64 {
        1 << self as u32
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u64);

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// These.
    pub const fn of(permissions: &[Permission]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < permissions.len() {
            bits |= permissions[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// All there are.
    pub const fn all() -> Self {
        Self::of(Permission::ALL)
    }

    /// The set as our own processes tell it to one another. Bits that this build does not know are left out.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::all().0)
    }

    /// The set as bits. They are good only between processes of one release: what is kept is kept by name.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether `permission` is among them.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether all of `others` are among them.
    pub const fn has_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// All but `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Each of them, in their order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.has(*permission))
    }

    /// The set that these names make; the first that is no permission otherwise.
    ///
    /// # Errors
    /// The name that is unknown.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        names.into_iter().try_fold(Self::NONE, |set, name| {
            let permission = Permission::from_name(name).ok_or(name)?;
            Ok(Self(set.0 | permission.bit()))
        })
    }

    /// Their names, in their order.
    pub fn names(self) -> Vec<String> {
        self.iter().map(|permission| permission.name().to_owned()).collect()
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::name)).finish()
    }
}

/// A role that every tenant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltInRole {
    /// Everything, and the only one who may delete the tenant or make another owner.
    Owner,
    /// Everything else.
    Admin,
    /// Contacts, campaigns and all that comes of them.
    CampaignManager,
    /// Sends texts, and sees the replies to these.
    Texter,
    /// Looks, and changes nothing.
    Viewer,
}

/// What a campaign manager may change; they see what a viewer sees, too.
const CAMPAIGN_MANAGER: &[Permission] = &[
    Permission::ContactsRead,
    Permission::ContactsWrite,
    Permission::CampaignsWrite,
    Permission::CampaignsRun,
    Permission::TextingSend,
    Permission::TextingDelegate,
];
const TEXTER: &[Permission] = &[Permission::TextingSend, Permission::ConversationsReadAssigned];
const VIEWER: &[Permission] = &[
    Permission::TenantRead,
    Permission::MembersRead,
    Permission::NumbersRead,
    Permission::CampaignsRead,
    Permission::MessagesRead,
    Permission::ConversationsRead,
    Permission::ConversationsReadAssigned,
    Permission::OptOutsRead,
];

impl BuiltInRole {
    /// All there are, the strongest first.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::CampaignManager, Self::Texter, Self::Viewer];

    /// Its id in a resource name: `roles/{id}`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::CampaignManager => "campaignManager",
            Self::Texter => "texter",
            Self::Viewer => "viewer",
        }
    }

    /// What people call it.
    pub const fn display_name(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::CampaignManager => "Campaign manager",
            Self::Texter => "Texter",
            Self::Viewer => "Viewer",
        }
    }

    /// What it may do.
    pub const fn permissions(self) -> Permissions {
        match self {
            Self::Owner => Permissions::all(),
            Self::Admin => Permissions::all().without(Permissions::of(&[Permission::TenantDelete])),
            Self::CampaignManager => Permissions::of(CAMPAIGN_MANAGER).or(Permissions::of(VIEWER)),
            Self::Texter => Permissions::of(TEXTER),
            Self::Viewer => Permissions::of(VIEWER),
        }
    }

    /// The role with this id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.id() == id)
    }

    /// How the database numbers it.
    pub const fn code(self) -> i16 {
        match self {
            Self::Owner => 1,
            Self::Admin => 2,
            Self::CampaignManager => 3,
            Self::Texter => 4,
            Self::Viewer => 5,
        }
    }

    /// The role with this number.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(*permission));
        }
        for role in BuiltInRole::ALL {
            assert_eq!(BuiltInRole::from_id(role.id()), Some(role));
            assert_eq!(BuiltInRole::from_code(role.code()), Some(role));
        }
        let all = Permissions::all();
        assert_eq!(Permissions::from_names(all.names().iter().map(String::as_str)), Ok(all));
        assert_eq!(Permissions::from_names(["campaigns.run", "moon.fly"]), Err("moon.fly"));
        assert_eq!(Permissions::from_bits(u64::MAX), all);
    }

    #[test]
    fn roles_are_ordered_as_their_names_promise() {
        let [owner, admin, manager, texter, viewer] = BuiltInRole::ALL.map(BuiltInRole::permissions);
        assert!(owner.has_all(admin) && !admin.has_all(owner));
        assert!(admin.has_all(manager) && manager.has_all(viewer) && !viewer.has_all(manager));
        assert!(manager.has_all(texter) && !viewer.has_all(texter));
        let changes = |set: Permissions| set.iter().any(|permission| !permission.name().contains(".read"));
        assert!(!changes(viewer));
        assert!(!texter.has(Permission::ConversationsRead), "a texter sees their own conversations only");
    }
}
