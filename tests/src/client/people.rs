//! Contacts, and what became of the rows of a file.

use anyhow::{Context, Result};
use muster_proto::v1::import_contacts_request::Part;
use muster_proto::v1::{
    Contact, ContactList, CreateContactListRequest, GetContactListRequest, ImportContactsRequest,
    ImportContactsResponse, ImportStart, ListContactsRequest, ListRejectedRowsRequest, RejectedRow,
};

use super::{Client, PAGE_SIZE, all_pages};
use crate::canaries::plant_numbers;

/// Bytes of a file in one message: not a multiple of anything, so that chunks end in the middle of cells.
const CHUNK_BYTES: usize = 60_013;

impl Client {
    /// Creates an empty contact list. Returns its name.
    pub async fn create_list(&self, tenant: &str, display_name: &str) -> Result<String> {
        let list = ContactList { display_name: display_name.to_owned(), ..ContactList::default() };
        let request = CreateContactListRequest { parent: tenant.to_owned(), contact_list: Some(list) };
        let answer = self.contact_lists().create_contact_list(request).await.context("create a list")?;
        Ok(answer.into_inner().name)
    }

    /// A list.
    pub async fn contact_list(&self, name: &str) -> Result<ContactList> {
        let request = GetContactListRequest { name: name.to_owned() };
        Ok(self.contact_lists().get_contact_list(request).await.context("get a list")?.into_inner())
    }

    /// Imports a CSV file into a list.
    pub async fn import(&self, list: &str, file: &[u8]) -> Result<ImportContactsResponse> {
        plant_numbers(&String::from_utf8_lossy(file));
        let start = ImportStart { contact_list: list.to_owned(), phone_number_column: String::new() };
        let chunks: Vec<_> = file.chunks(CHUNK_BYTES).map(|chunk| Part::Chunk(chunk.to_vec())).collect();
        let parts = std::iter::once(Part::Start(start)).chain(chunks);
        let stream = tokio_stream::iter(parts.map(|part| ImportContactsRequest { part: Some(part) }));
        Ok(self.contact_lists().import_contacts(stream).await.context("import contacts")?.into_inner())
    }

    /// All contacts of a list.
    pub async fn list_contacts(&self, list: &str) -> Result<Vec<Contact>> {
        all_pages(async |page_token| {
            let request = ListContactsRequest { parent: list.to_owned(), page_size: PAGE_SIZE, page_token };
            let page = self.contact_lists().list_contacts(request).await.context("list contacts")?;
            let page = page.into_inner();
            Ok((page.contacts, page.next_page_token))
        })
        .await
    }

    /// All rejected rows of a list.
    pub async fn list_rejected_rows(&self, list: &str) -> Result<Vec<RejectedRow>> {
        all_pages(async |page_token| {
            let request =
                ListRejectedRowsRequest { parent: list.to_owned(), page_size: PAGE_SIZE, page_token };
            let page =
                self.contact_lists().list_rejected_rows(request).await.context("list rejected rows")?;
            let page = page.into_inner();
            Ok((page.rejected_rows, page.next_page_token))
        })
        .await
    }
}
