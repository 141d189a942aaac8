//! What a watcher sees: kinds of events, and what they are about.
//!
//! A kind needs a permission, and has some of the things that can be filtered by. A kind that is asked for by name has to
//! be one that the caller may read and that has what is filtered by; where none is, all that are both come.

use muster_domain::id::TenantId;
use muster_domain::permission::Permission::{self, *};
use muster_domain::permission::Permissions;
use muster_proto::v1::{EventKind, WatchEventsRequest};
use muster_runtime::access::Caller;
use muster_runtime::{Error, Result, name};
use uuid::Uuid;

/// What an event is about, as far as it can be found by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) kind: EventKind,
    pub(super) campaign: Option<Uuid>,
    pub(super) message: Option<Uuid>,
    pub(super) number: Option<Uuid>,
}

/// What a watcher sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    kinds: Vec<EventKind>,
    campaign: Option<Uuid>,
    message: Option<Uuid>,
    number: Option<Uuid>,
}

/// What there is to know of a kind.
struct Kind {
    kind: EventKind,
    needs: Permission,
    campaign: bool,
    message: bool,
    number: bool,
}

const KINDS: [Kind; 5] = [
    Kind { kind: EventKind::Status, needs: MessagesRead, campaign: true, message: true, number: true },
    Kind { kind: EventKind::Reply, needs: ConversationsRead, campaign: true, message: true, number: true },
    Kind { kind: EventKind::OptOut, needs: OptOutsRead, campaign: false, message: false, number: false },
    Kind {
        kind: EventKind::CampaignProgress,
        needs: CampaignsRead,
        campaign: true,
        message: false,
        number: false,
    },
    Kind { kind: EventKind::NumberHealth, needs: NumbersRead, campaign: false, message: false, number: true },
];

impl Filter {
    /// What `request` asks for, and may.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, naming the field; PERMISSION_DENIED, naming the permission.
    pub(super) fn of(caller: Caller, tenant: TenantId, request: &WatchEventsRequest) -> Result<Self> {
        let id = |kind, name, field| own(tenant, kind, name, field);
        let mut filter = Self {
            kinds: Vec::new(),
            campaign: id("campaigns", &request.campaign, "campaign")?,
            message: id("messages", &request.message, "message")?,
            number: id("phoneNumbers", &request.phone_number, "phone_number")?,
        };
        let asked: Vec<&Kind> = request.kinds.iter().map(|kind| named(*kind)).collect::<Result<_>>()?;
        for kind in &asked {
            if let Some(lacking) = filter.lacking(kind) {
                let message = format!("{} events have no {lacking}", kind.kind.as_str_name());
                return Err(Error::invalid("kinds", message));
            }
            caller.needs(kind.needs)?;
        }
        let fitting = || KINDS.iter().filter(|kind| filter.lacking(kind).is_none());
        let kinds: Vec<EventKind> = if asked.is_empty() {
            fitting().filter(|kind| caller.may(kind.needs)).map(|kind| kind.kind).collect()
        } else {
            asked.iter().map(|kind| kind.kind).collect()
        };
        if kinds.is_empty() {
            let needed: Vec<_> = fitting().map(|kind| kind.needs.name()).collect();
            return Err(Error::forbidden(format!("this needs one of the permissions {}", needed.join(", "))));
        }
        filter.kinds = kinds;
        Ok(filter)
    }

    /// Whether an event comes.
    pub(super) fn admits(&self, about: &About) -> bool {
        let same = |wanted: Option<Uuid>, is| wanted.is_none() || wanted == is;
        self.kinds.contains(&about.kind)
            && same(self.campaign, about.campaign)
            && same(self.message, about.message)
            && same(self.number, about.number)
    }

    /// What the caller must go on having.
    pub(super) fn needs(&self) -> Permissions {
        let kinds = KINDS.iter().filter(|kind| self.kinds.contains(&kind.kind));
        kinds.fold(Permissions::NONE, |all, kind| all.or(Permissions::of(&[kind.needs])))
    }

    /// What is filtered by, and events of this kind do not have.
    fn lacking(&self, kind: &Kind) -> Option<&'static str> {
        let pairs = [
            ("campaign", self.campaign, kind.campaign),
            ("message", self.message, kind.message),
            ("phone_number", self.number, kind.number),
        ];
        pairs.into_iter().find(|(_, wanted, has)| wanted.is_some() && !has).map(|(what, ..)| what)
    }
}

fn named(number: i32) -> Result<&'static Kind> {
    let kind = KINDS.iter().find(|kind| i32::from(kind.kind) == number);
    kind.ok_or_else(|| Error::invalid("kinds", format!("{number} is not a kind of event")))
}

/// The id in `name`, which must be one of the tenant's.
fn own(tenant: TenantId, kind: &str, name: &str, field: &'static str) -> Result<Option<Uuid>> {
    if name.is_empty() {
        return Ok(None);
    }
    let [owner, id] = name::parse(&format!("tenants/*/{kind}/*"), name, field)?;
    if owner == tenant.0 { Ok(Some(id)) } else { Err(Error::invalid(field, format!("{name} was not found"))) }
}

#[cfg(test)]
mod tests {
    use muster_domain::id::ApiKeyId;
    use muster_runtime::access::{Actor, Principal};
    use tonic::Code;

    use super::*;

    const TENANT: TenantId = TenantId(Uuid::from_u128(9));

    fn caller(permissions: &[Permission]) -> Caller {
        Caller::Tenant(Principal {
            tenant: TENANT,
            actor: Actor::ApiKey(ApiKeyId(Uuid::from_u128(1))),
            permissions: Permissions::of(permissions),
            end_us: None,
        })
    }

    fn asked(kinds: &[EventKind]) -> WatchEventsRequest {
        let kinds = kinds.iter().map(|kind| i32::from(*kind)).collect();
        WatchEventsRequest { kinds, ..WatchEventsRequest::default() }
    }

    fn code(answer: Result<Filter>) -> (Code, String) {
        let error = answer.expect_err("it is refused");
        (error.code(), error.to_string())
    }

    #[test]
    fn every_kind_of_the_api_is_known_and_needs_what_its_comment_says() {
        let all = (1..).map_while(|number| EventKind::try_from(number).ok());
        assert!(all.eq(KINDS.iter().map(|kind| kind.kind)));
        for kind in &KINDS {
            let request = asked(&[kind.kind]);
            let filter = Filter::of(caller(&[kind.needs]), TENANT, &request).expect("it may");
            assert_eq!(filter.needs(), Permissions::of(&[kind.needs]));
            let without =
                Permissions::all().without(Permissions::of(&[kind.needs])).iter().collect::<Vec<_>>();
            let (code, message) = code(Filter::of(caller(&without), TENANT, &request));
            assert_eq!(code, Code::PermissionDenied);
            assert!(message.ends_with(kind.needs.name()), "{message}");
        }
    }

    #[test]
    fn without_kinds_come_those_that_may_be_read_and_have_what_is_filtered_by() {
        let someone = caller(&[MessagesRead, OptOutsRead, NumbersRead]);
        let all = Filter::of(someone, TENANT, &asked(&[])).expect("it may");
        assert_eq!(all.kinds, [EventKind::Status, EventKind::OptOut, EventKind::NumberHealth]);
        let number = name::format("tenants/*/phoneNumbers/*", &[TENANT.0, Uuid::from_u128(5)]);
        let request = WatchEventsRequest { phone_number: number, ..asked(&[]) };
        let filter = Filter::of(someone, TENANT, &request).expect("it may");
        assert_eq!(filter.kinds, [EventKind::Status, EventKind::NumberHealth]);
        let about = About {
            kind: EventKind::Status,
            campaign: None,
            message: None,
            number: Some(Uuid::from_u128(5)),
        };
        assert!(filter.admits(&about));
        assert!(!filter.admits(&About { number: Some(Uuid::from_u128(6)), ..about }));
        assert!(!filter.admits(&About { number: None, ..about }));
        assert!(!filter.admits(&About { kind: EventKind::Reply, ..about }));
        let (code, message) = code(Filter::of(caller(&[OptOutsRead]), TENANT, &request));
        assert_eq!(code, Code::PermissionDenied);
        assert!(message.ends_with("messages.read, conversations.read, numbers.read"), "{message}");
    }

    #[test]
    fn a_kind_that_has_not_what_is_filtered_by_is_refused_by_name() {
        let message = name::format("tenants/*/messages/*", &[TENANT.0, Uuid::from_u128(5)]);
        let request = WatchEventsRequest { message, ..asked(&[EventKind::Status, EventKind::NumberHealth]) };
        let (code_, words) = code(Filter::of(Caller::Operator, TENANT, &request));
        assert_eq!(
            (code_, &*words),
            (Code::InvalidArgument, "kinds: EVENT_KIND_NUMBER_HEALTH events have no message")
        );
        for number in [0, 6, -1] {
            let request = WatchEventsRequest { kinds: vec![number], ..WatchEventsRequest::default() };
            assert_eq!(code(Filter::of(Caller::Operator, TENANT, &request)).0, Code::InvalidArgument);
        }
    }

    #[test]
    fn what_is_another_tenants_is_not_found() {
        let campaign = name::format("tenants/*/campaigns/*", &[Uuid::from_u128(8), Uuid::from_u128(5)]);
        let request = WatchEventsRequest { campaign, ..asked(&[]) };
        assert_eq!(code(Filter::of(Caller::Operator, TENANT, &request)).0, Code::InvalidArgument);
    }
}
