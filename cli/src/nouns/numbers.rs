//! Phone numbers that texts are sent from, and the pools that campaigns draw them from.

use std::path::PathBuf;

use clap::Args;
use muster_proto::v1::{
    BatchCreatePhoneNumbersRequest, CreateNumberPoolRequest, CreatePhoneNumberRequest, GetNumberPoolRequest,
    GetPhoneNumberRequest, ListNumberPoolsRequest, ListPhoneNumbersRequest, NumberPool, PhoneNumber,
};

use crate::failure::{Failure, Result};
use crate::resource::{ACCOUNT, NUMBER, POOL};
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn pools() -> Noun {
    let columns = &["name", "display_name", "phone_number_count", "create_time"];
    Noun {
        name: "pools",
        about: "Pools of numbers that campaigns send from",
        verbs: vec![
            Verb::call("create", "Create an empty pool", create_pool),
            Verb::named::<GetNumberPoolRequest>("get", "Show a pool", POOL),
            Verb::list::<ListNumberPoolsRequest>("list", "List pools", columns),
        ],
    }
}

pub(crate) fn numbers() -> Noun {
    let columns = &["name", "phone_number", "type", "provider_account", "segments_per_second", "create_time"];
    Noun {
        name: "numbers",
        about: "Phone numbers that texts are sent from",
        verbs: vec![
            Verb::call("add", "Add numbers to a pool: all of them or, where one is wrong, none", add),
            Verb::named::<GetPhoneNumberRequest>("get", "Show a number", NUMBER),
            Verb::list_by("list", "List the numbers of a pool", columns, list),
        ],
    }
}

#[derive(Args)]
struct CreatePool {
    /// What people call it
    display_name: String,
}

async fn create_pool(session: &Session, flags: CreatePool) -> Result<CreateNumberPoolRequest> {
    let pool = NumberPool { display_name: flags.display_name, ..NumberPool::default() };
    Ok(CreateNumberPoolRequest { parent: session.tenant().await?, number_pool: Some(pool) })
}

#[derive(Args)]
struct Add {
    /// The pool: its id, its resource name, or what people call it
    pool: String,
    /// The provider account that sends from them
    #[arg(long)]
    account: String,
    /// How fast each may send, in segments a second; 1 otherwise
    #[arg(long, value_name = "SEGMENTS", default_value_t = 0.0)]
    rate: f64,
    /// The numbers, in E.164 form, 1000 at most
    #[arg(required_unless_present = "file")]
    numbers: Vec<String>,
    /// A file with more numbers, one a line; `-` is standard input
    #[arg(long)]
    file: Option<PathBuf>,
}

async fn add(session: &Session, flags: Add) -> Result<BatchCreatePhoneNumbersRequest> {
    let pool = POOL.resolve(session, &flags.pool).await?;
    let account = ACCOUNT.resolve(session, &flags.account).await?;
    let mut numbers = flags.numbers;
    if let Some(file) = &flags.file {
        numbers.extend(lines(file)?);
    }
    let number = |phone_number| CreatePhoneNumberRequest {
        parent: String::new(),
        phone_number: Some(PhoneNumber {
            phone_number,
            number_pool: pool.clone(),
            provider_account: account.clone(),
            segments_per_second: flags.rate,
            ..PhoneNumber::default()
        }),
    };
    let requests = numbers.into_iter().map(number).collect();
    Ok(BatchCreatePhoneNumbersRequest { parent: session.tenant().await?, requests })
}

fn lines(file: &std::path::Path) -> Result<Vec<String>> {
    let read = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = read.map_err(|error| Failure::because(&format!("cannot read {}", file.display()), error))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[derive(Args)]
struct List {
    /// The pool: its id, its resource name, or what people call it
    pool: String,
}

async fn list(session: &Session, flags: List) -> Result<ListPhoneNumbersRequest> {
    let number_pool = POOL.resolve(session, &flags.pool).await?;
    Ok(ListPhoneNumbersRequest {
        parent: session.tenant().await?,
        number_pool,
        ..ListPhoneNumbersRequest::default()
    })
}
