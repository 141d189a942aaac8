//! `muster context`: which platforms there are, and which one is called.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};

use crate::contexts::{Context, Contexts};
use crate::environment;
use crate::failure::{Failure, Result};
use crate::place::{self, Flags};
use crate::show::{Output, table};

#[derive(Subcommand)]
pub(crate) enum Choose {
    /// Add a platform, or change one
    #[command(
        long_about = "Add a platform, or change one.\n\nThe key is asked for on a terminal, or read from MUSTER_API_KEY or \
        standard input, and kept in the file of contexts, which only you can read. With --key-file FILE it stays in that file, and is \
        read there at every call. The first context is used at once."
    )]
    Add(Add),
    /// Call this platform from now on
    Use(Named),
    /// List platforms
    List,
    /// Forget a platform, with its key
    Remove(Named),
}

#[derive(Args)]
pub(crate) struct Add {
    /// What you call it
    name: String,
}

#[derive(Args)]
pub(crate) struct Named {
    /// The context's name
    name: String,
}

/// Does what was chosen.
///
/// # Errors
/// Where the file of contexts cannot be used.
pub(crate) fn run(output: Output, flags: &Flags, choose: Choose) -> Result<()> {
    let mut contexts = Contexts::read()?;
    match choose {
        Choose::List => return list(output, &contexts),
        Choose::Add(Add { name }) => {
            let context = context(flags)?;
            contexts.current.get_or_insert_with(|| name.clone());
            contexts.contexts.insert(name, context);
        }
        Choose::Use(Named { name }) => {
            contexts.get(&name)?;
            contexts.current = Some(name);
        }
        Choose::Remove(Named { name }) => {
            contexts.get(&name)?;
            contexts.contexts.remove(&name);
            contexts.current = contexts.current.filter(|current| *current != name);
        }
    }
    contexts.write()
}

fn context(flags: &Flags) -> Result<Context> {
    let endpoint =
        flags.endpoint.clone().ok_or_else(|| Failure::usage("--endpoint says where the platform is"))?;
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let from_stdin = flags.key_file.as_ref().is_some_and(|file| file.as_os_str() == "-");
    let key_file = flags.key_file.as_ref().filter(|_| !from_stdin).map(absolute);
    let key = match (&key_file, &flags.key_file) {
        (Some(_), _) => None,
        (None, Some(stdin)) => Some(place::secret_in(stdin)?),
        (None, None) => Some(asked()?),
    };
    let context = Context {
        endpoint,
        events_endpoint: flags.events_endpoint.clone(),
        tenant: flags.tenant.clone(),
        ca: flags.ca.as_ref().map(absolute),
        plaintext: flags.plaintext,
        key_file,
        key,
    };
    place::check(&context)?;
    Ok(context)
}

/// A key from the environment, from whoever sits there, or from what is piped in.
fn asked() -> Result<SecretString> {
    if let Some(key) = environment::api_key() {
        return Ok(key);
    }
    if !std::io::stdin().is_terminal() {
        return place::secret_in("-".as_ref());
    }
    let key = rpassword::prompt_password("API key: ")
        .map_err(|error| Failure::because("cannot ask for the key", error))?;
    match key.trim() {
        "" => Err(Failure::usage("no key was given")),
        key => Ok(SecretString::from(key.to_owned())),
    }
}

fn list(output: Output, contexts: &Contexts) -> Result<()> {
    if output.is_json() {
        for (name, context) in &contexts.contexts {
            let current = contexts.current.as_ref() == Some(name);
            output.line(&serde_json::json!({
                "name": name, "current": current, "endpoint": context.endpoint, "tenant": context.tenant,
            }))?;
        }
        return Ok(());
    }
    let rows = contexts.contexts.iter().map(|(name, context)| {
        let current = if contexts.current.as_ref() == Some(name) { "*" } else { "" };
        let key = match (&context.key_file, &context.key) {
            (Some(file), _) => file.display().to_string(),
            // As much as tells keys apart, as the API's own hints do.
            (None, Some(key)) => hint(key.expose_secret()),
            (None, None) => String::new(),
        };
        vec![
            current.to_owned(),
            name.clone(),
            context.endpoint.clone(),
            context.tenant.clone().unwrap_or_default(),
            key,
        ]
    });
    output.text(&table::of_cells(["", "NAME", "ENDPOINT", "TENANT", "KEY"].map(str::to_owned).to_vec(), rows))
}

fn hint(key: &str) -> String {
    let last = key.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    format!("\u{2026}{}", key.get(last..).filter(|_| key.len() > 16).unwrap_or_default())
}
