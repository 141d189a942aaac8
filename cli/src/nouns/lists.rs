//! Contact lists, their contacts, and the rows that could not become any.

use clap::Args;
use muster_proto::v1::{
    ContactList, CreateContactListRequest, GetContactListRequest, ListContactListsRequest,
    ListContactsRequest, ListRejectedRowsRequest,
};

use crate::failure::Result;
use crate::resource::LIST;
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn lists() -> Noun {
    let columns = &["name", "display_name", "contact_count", "rejected_row_count", "create_time"];
    Noun {
        name: "lists",
        about: "Contact lists: who a campaign is for",
        verbs: vec![
            Verb::call("create", "Create an empty contact list", create),
            Verb::named::<GetContactListRequest>("get", "Show a list with its counts", LIST),
            Verb::list::<ListContactListsRequest>("list", "List contact lists", columns),
            Verb::list_by(
                "rejected",
                "List rows that could not become a contact",
                &["line", "reason", "row"],
                rejected,
            ),
        ],
    }
}

pub(crate) fn contacts() -> Noun {
    Noun {
        name: "contacts",
        about: "The people of a contact list",
        verbs: vec![Verb::list_by("list", "List contacts", &["name", "phone_number", "fields"], list)],
    }
}

#[derive(Args)]
struct Create {
    /// What people call it
    display_name: String,
}

/// An empty list.
pub(crate) async fn empty(session: &Session, display_name: String) -> Result<CreateContactListRequest> {
    let list = ContactList { display_name, ..ContactList::default() };
    Ok(CreateContactListRequest { parent: session.tenant().await?, contact_list: Some(list) })
}

async fn create(session: &Session, flags: Create) -> Result<CreateContactListRequest> {
    empty(session, flags.display_name).await
}

#[derive(Args)]
struct OfList {
    /// The list: its id, its resource name, or what people call it
    list: String,
}

async fn rejected(session: &Session, flags: OfList) -> Result<ListRejectedRowsRequest> {
    let parent = LIST.resolve(session, &flags.list).await?;
    Ok(ListRejectedRowsRequest { parent, ..ListRejectedRowsRequest::default() })
}

async fn list(session: &Session, flags: OfList) -> Result<ListContactsRequest> {
    let parent = LIST.resolve(session, &flags.list).await?;
    Ok(ListContactsRequest { parent, ..ListContactsRequest::default() })
}
