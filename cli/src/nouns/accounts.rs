//! Accounts at SMS providers.

use std::path::{Path, PathBuf};

use clap::Args;
use muster_proto::v1::{
    CreateProviderAccountRequest, GetProviderAccountRequest, ListProviderAccountsRequest, ProviderAccount,
    UpdateProviderAccountRequest,
};
use secrecy::ExposeSecret as _;

use crate::failure::Result;
use crate::flags::{self, Mask};
use crate::place;
use crate::resource::ACCOUNT;
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn noun() -> Noun {
    let columns =
        &["name", "display_name", "provider", "account_sid", "base_url", "secrets_locked", "create_time"];
    Noun {
        name: "accounts",
        about: "Accounts at SMS providers",
        verbs: vec![
            Verb::call("create", "Create a provider account", create),
            Verb::named::<GetProviderAccountRequest>(
                "get",
                "Show an account, with the URLs to enter at the provider",
                ACCOUNT,
            ),
            Verb::list::<ListProviderAccountsRequest>("list", "List provider accounts", columns),
            Verb::call("update", "Change a provider account", update),
        ],
    }
}

#[derive(Args)]
struct Create {
    /// What people call it
    display_name: String,
    /// The provider
    #[arg(long, value_parser = flags::choice("Provider"))]
    provider: i32,
    #[command(flatten)]
    values: Values,
}

#[derive(Args)]
struct Update {
    /// The account: its id, its resource name, or what people call it
    account: String,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    values: Values,
}

/// Which of these an account takes depends on its provider: the proto says, in `muster accounts create --help`.
#[derive(Args)]
struct Values {
    /// The provider's name of the account, such as Twilio's account SID
    #[arg(long, value_name = "ID")]
    account_sid: Option<String>,
    /// Who calls: the user name of Bandwidth's API credentials
    #[arg(long, value_name = "NAME")]
    api_user: Option<String>,
    /// The application at the provider: Bandwidth's
    #[arg(long, value_name = "ID")]
    application_id: Option<String>,
    /// A file with what authenticates our calls, such as Twilio's auth token; `-` is standard input
    #[arg(long, value_name = "FILE")]
    api_secret_file: Option<PathBuf>,
    /// A file with what webhooks are verified with, such as Telnyx's public key
    #[arg(long, value_name = "FILE")]
    webhook_key_file: Option<PathBuf>,
    /// A file with a second key to believe webhooks with, while the provider moves from one to the other
    #[arg(long, value_name = "FILE")]
    second_webhook_key_file: Option<PathBuf>,
    /// Believe webhooks with one key again
    #[arg(long, conflicts_with = "second_webhook_key_file")]
    no_second_webhook_key: bool,
    /// Another base URL than the provider's own, such as a mock's; an operator's to say
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

impl Values {
    fn account(self, mask: &mut Mask) -> Result<ProviderAccount> {
        let cleared = self.no_second_webhook_key.then(String::new);
        let second_webhook_key = secret(self.second_webhook_key_file.as_deref())?.or(cleared);
        Ok(ProviderAccount {
            account_sid: mask.take("account_sid", self.account_sid),
            api_user: mask.take("api_user", self.api_user),
            application_id: mask.take("application_id", self.application_id),
            api_secret: mask.take("api_secret", secret(self.api_secret_file.as_deref())?),
            webhook_key: mask.take("webhook_key", secret(self.webhook_key_file.as_deref())?),
            second_webhook_key: mask.take("second_webhook_key", second_webhook_key),
            base_url: mask.take("base_url", self.base_url),
            ..ProviderAccount::default()
        })
    }
}

fn secret(file: Option<&Path>) -> Result<Option<String>> {
    file.map(|file| Ok(place::secret_in(file)?.expose_secret().to_owned())).transpose()
}

async fn create(session: &Session, flags: Create) -> Result<CreateProviderAccountRequest> {
    let account = flags.values.account(&mut Mask::default())?;
    let account = ProviderAccount { display_name: flags.display_name, provider: flags.provider, ..account };
    Ok(CreateProviderAccountRequest { parent: session.tenant().await?, provider_account: Some(account) })
}

async fn update(session: &Session, flags: Update) -> Result<UpdateProviderAccountRequest> {
    let mut mask = Mask::default();
    let name = ACCOUNT.resolve(session, &flags.account).await?;
    let display_name = mask.take("display_name", flags.display_name);
    let account = ProviderAccount { name, display_name, ..flags.values.account(&mut mask)? };
    Ok(UpdateProviderAccountRequest { provider_account: Some(account), update_mask: mask.done()? })
}
