//! Lists, page by page: a table for people, an object a line for programs.

use clap::Args;
use prost::{Message, Name};
use prost_reflect::Value;

use crate::api;
use crate::failure::Result;
use crate::session::Session;
use crate::show::Output;

/// Which pages to list.
#[derive(Args, Debug)]
pub(crate) struct Paging {
    /// Entries of a page, 1000 at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    page_size: i32,
    /// All pages, not only one
    #[arg(long)]
    all: bool,
    /// The page that begins here, as the page before has said
    #[arg(long, value_name = "TOKEN", default_value = "")]
    page_token: String,
}

/// Shows what a List rpc has, as a table of `columns`.
///
/// # Errors
/// What the API answers.
pub(crate) async fn show<R: Message + Name>(
    session: &Session,
    output: &Output,
    request: &R,
    paging: &Paging,
    columns: &[&str],
) -> Result<()> {
    let rpc = api::rpc::<R>();
    let mut request = api::reflect(request)?;
    request.set_field_by_name("page_size", Value::I32(paging.page_size));
    request.set_field_by_name("page_token", Value::String(paging.page_token.clone()));
    let mut rows = Vec::new();
    let each = async |entries: Vec<Value>, next: String| {
        for entry in entries {
            if let Value::Message(entry) = entry {
                match output.is_json() {
                    // At once, so that a list of any length takes no more memory than a page.
                    true => output.line(&entry)?,
                    false => rows.push(entry),
                }
            }
        }
        if !next.is_empty() && !paging.all {
            output.note(&format!("there is more: --all, or --page-token {next}"));
        }
        Ok(paging.all)
    };
    session.pages(&rpc, request, each).await?;
    if !output.is_json() {
        output.table(&rows, columns)?;
    }
    Ok(())
}
