//! Contact lists and their imports.

use muster_domain::id::TenantId;
use muster_proto::v1::contact_list_service_server::ContactListService;
use muster_proto::v1::import_contacts_request::Part;
use muster_proto::v1::{
    Contact, ContactList, CreateContactListRequest, GetContactListRequest, ImportContactsRequest,
    ImportContactsResponse, ImportStart, ListContactListsRequest, ListContactListsResponse,
    ListContactsRequest, ListContactsResponse, ListRejectedRowsRequest, ListRejectedRowsResponse,
    RejectedRow,
};
use muster_runtime::{Error, Result, clock, name};
use tokio::sync::{mpsc, oneshot};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::audit::Act;
use crate::db::{Database, Micros, TenantTx};
use crate::import;
use crate::quota::Quota;
use crate::rpc::{Api, caller, counted, display_name, page, required, resource, tenant_of_parent};
use crate::store::contacts::{
    self, contact_list_get, contact_list_insert, contact_lists_count, contact_lists_list, contacts_list,
    rejected_rows_list,
};
use crate::store::tenants::tenant_get;

const LIST: &str = "tenants/*/contactLists/*";
const CONTACT: &str = "tenants/*/contactLists/*/contacts/*";

fn encode(tenant: TenantId, list: contacts::ContactList) -> ContactList {
    ContactList {
        name: name::format(LIST, &[tenant.0, list.id]),
        display_name: list.display_name,
        contact_count: list.contact_count,
        rejected_row_count: list.rejected_row_count,
        create_time: Some(list.create_time.timestamp()),
        erase_time: list.erase_time.map(Micros::timestamp),
    }
}

/// Refuses to use a list whose contacts were erased.
pub(crate) fn not_erased(list: &contacts::ContactList) -> Result<()> {
    if list.erase_time.is_none() {
        return Ok(());
    }
    Err(Error::precondition(
        "CONTACT_LIST_ERASED",
        "the contacts of the list were erased for their age; import them into a new one",
    ))
}

/// The first message of an import, which says where the contacts go.
async fn import_start(stream: &mut Streaming<ImportContactsRequest>) -> Result<import::Start, Status> {
    let first = stream.message().await?.and_then(|message| message.part);
    match first {
        Some(Part::Start(start)) => {
            Ok(import::Start { list: start.contact_list, phone_column: start.phone_number_column })
        }
        Some(Part::Chunk(_)) | None => {
            Err(Error::invalid("start", "is required as the first message of the stream").into())
        }
    }
}

/// Imports a file, and keeps in the audit log that it has begun and what came of it: also where it breaks off, because the
/// batches before stay.
async fn import(
    db: &Database,
    target: import::Target,
    messages: import::Messages,
    act: Act,
) -> Result<ImportContactsResponse, Status> {
    let list = name::format(LIST, &[target.tenant.0, target.list]);
    let start = ImportStart { contact_list: list.clone(), phone_number_column: String::new() };
    let begun = act.clone().about(list.clone()).after(&start)?;
    let mut tally = import::Tally::default();
    let ended = import::run(db, &target, messages, begun, &mut tally).await;
    let answer = ImportContactsResponse {
        row_count: tally.rows,
        imported_count: tally.imported,
        rejected_count: tally.rejected.values().sum(),
        rejected_by_reason: tally.rejected,
    };
    if ended.is_ok() || answer.row_count > 0 {
        let code = ended.as_ref().err().map_or(Code::Ok, Status::code);
        let change = act.about(list).after(&answer)?.result(code);
        let mut client = db.app().await?;
        TenantTx::begin(&mut client, target.tenant).await?.commit(change).await?;
    }
    ended.map(|()| answer)
}

#[tonic::async_trait]
impl ContactListService for Api {
    async fn create_contact_list(
        &self,
        request: Request<CreateContactListRequest>,
    ) -> Result<Response<ContactList>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let wanted = required(request.contact_list, "contact_list")?;
        let title = display_name(&wanted.display_name, "contact_list.display_name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let quotas = counted(&tx, tenant, &request.parent).await?;
        quotas.one_more(Quota::ContactLists, tenant, contact_lists_count(&tx, tenant.0).await?)?;
        let list = contact_list_insert(&tx, tenant.0, clock::new_id(), &title).await?;
        let list = encode(tenant, list);
        tx.commit(act.created(&list)?).await?;
        Ok(Response::new(list))
    }

    async fn get_contact_list(
        &self,
        request: Request<GetContactListRequest>,
    ) -> Result<Response<ContactList>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, LIST, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let list = contact_list_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode(tenant, list)))
    }

    async fn list_contact_lists(
        &self,
        request: Request<ListContactListsRequest>,
    ) -> Result<Response<ListContactListsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("lists {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut lists = contact_lists_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut lists, &page, |list| list.id);
        let contact_lists = lists.into_iter().map(|list| encode(tenant, list)).collect();
        Ok(Response::new(ListContactListsResponse { contact_lists, next_page_token }))
    }

    async fn import_contacts(
        &self,
        request: Request<Streaming<ImportContactsRequest>>,
    ) -> Result<Response<ImportContactsResponse>, Status> {
        let (caller, act) = Act::of_stream(&request)?;
        let mut stream = request.into_inner();
        let start = import_start(&mut stream).await?;
        act.note(start.list.clone());
        let (tenant, list) = resource(caller, LIST, &start.list, "start.contact_list")?;
        let quotas = {
            let mut client = self.db.app().await?;
            let tx = TenantTx::begin(&mut client, tenant).await?;
            not_erased(&contact_list_get(&tx, list).await?.ok_or_else(|| Error::not_found(&start.list))?)?;
            tenant_get(&tx, tenant).await?.map(|tenant| tenant.quotas).unwrap_or_default()
        };
        let target = import::Target { tenant, list, phone_column: start.phone_column, quotas };
        let (db, (answer, mut answered)) = (self.db.clone(), oneshot::channel());
        let (sender, messages) = mpsc::channel(1);
        // In a task of its own: what somebody has imported who then goes away is told in the audit log, too.
        self.tasks.spawn(async move {
            let _ = answer.send(import(&db, target, messages, act).await);
        });
        let early = tokio::select! {
            answer = &mut answered => Some(answer),
            () = import::hand_on(stream, sender) => None,
        };
        let answer = match early {
            Some(answer) => answer,
            None => answered.await,
        };
        Ok(Response::new(answer.map_err(Error::internal)??))
    }

    async fn list_contacts(
        &self,
        request: Request<ListContactsRequest>,
    ) -> Result<Response<ListContactsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (tenant, list) = resource(caller, LIST, &request.parent, "parent")?;
        let scope = format!("contacts {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        contact_list_get(&tx, list).await?.ok_or_else(|| Error::not_found(&request.parent))?;
        let mut rows = contacts_list(&tx, list, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |contact| contact.id);
        let contacts = rows.into_iter().map(|contact| Contact {
            name: name::format(CONTACT, &[tenant.0, list, contact.id]),
            phone_number: contact.phone,
            fields: contact.fields,
        });
        Ok(Response::new(ListContactsResponse { contacts: contacts.collect(), next_page_token }))
    }

    async fn list_rejected_rows(
        &self,
        request: Request<ListRejectedRowsRequest>,
    ) -> Result<Response<ListRejectedRowsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let (tenant, list) = resource(caller, LIST, &request.parent, "parent")?;
        let scope = format!("rejected rows {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let found = contact_list_get(&tx, list).await?.ok_or_else(|| Error::not_found(&request.parent))?;
        let erase_time = found.erase_time.map(Micros::timestamp);
        let mut rows = rejected_rows_list(&tx, list, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |row| row.id);
        let rejected_rows = rows.into_iter().map(|row| RejectedRow {
            line: row.line,
            reason: row.reason,
            row: row.content,
            create_time: Some(row.create_time.timestamp()),
            erase_time,
        });
        Ok(Response::new(ListRejectedRowsResponse {
            rejected_rows: rejected_rows.collect(),
            next_page_token,
        }))
    }
}
