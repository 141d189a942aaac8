//! Importing what organizations really send.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use muster_proto::v1::Provider;
use muster_tests::contacts::{ExpectedContact, messy};
use muster_tests::stack::OrganizationOptions;
use tonic::Code;

use crate::scene::{self, refused};

#[tokio::test]
async fn a_messy_file_becomes_what_its_maker_expects_and_again_nothing() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = stack.organization(OrganizationOptions::of(Provider::Twilio)).await?;
    let client = &organization.client;
    let file = messy(42, 5_000);
    let (list, imported) = organization.list("Voters", &file.bytes).await?;
    let expected = &file.expected;
    ensure!(usize::try_from(imported.row_count)? == expected.rows, "{imported:?}");
    let reasons: BTreeMap<String, i64> = imported.rejected_by_reason.into_iter().collect();
    ensure!(reasons == expected.rejected_by_reason(), "{reasons:?}, not {:?}", expected.rejected_by_reason());

    let contacts = client.list_contacts(&list).await?;
    for (contact, expected) in contacts.iter().zip(&expected.contacts) {
        let first_name = contact.fields.get("first_name").cloned().unwrap_or_default();
        let contact = ExpectedContact { phone_number: contact.phone_number.clone(), first_name };
        ensure!(contact == *expected, "{contact:?}, not {expected:?}");
    }
    ensure!(contacts.len() == expected.contacts.len());
    let rejected = client.list_rejected_rows(&list).await?;
    let shown = rejected.iter().map(|row| (row.line, row.reason.as_str()));
    let wanted = expected.rejected.iter().map(|row| (row.line, row.reason));
    let differs = shown.clone().zip(wanted).find(|(shown, wanted)| shown != wanted);
    ensure!(differs.is_none() && rejected.len() == expected.rejected.len(), "{differs:?}");

    let again = client.import(&list, &file.bytes).await?;
    ensure!(again.imported_count == 0 && again.row_count == imported.row_count, "{again:?}");
    ensure!(client.list_contacts(&list).await?.len() == contacts.len());
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_csv_adds_nothing() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let organization = stack.organization(OrganizationOptions::of(Provider::Twilio)).await?;
    let client = &organization.client;
    let list = client.create_list(&organization.tenant, "Voters").await?;
    for file in [&b""[..], b"\xff\xfeN\0a\0m\0e\0", b"name,city\nZoe,Reno\n", b"phone,phone\n1,2\n"] {
        refused(client.import(&list, file).await, Code::InvalidArgument)?;
    }
    ensure!(
        client.list_contacts(&list).await?.is_empty() && client.list_rejected_rows(&list).await?.is_empty()
    );
    Ok(())
}
