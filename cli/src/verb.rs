//! The commands: nouns with verbs. A verb knows its flags, how they become a request, and how the answer is shown.
//!
//! Which rpc a verb calls follows from the type of its request, so that help, documentation and the test that no rpc was
//! forgotten cannot say anything else.

use std::pin::Pin;

use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};

use crate::api;
use crate::failure::{Failure, Result};
use crate::lists::{self, Paging};
use crate::resource::Resource;
use crate::session::Session;
use crate::show::Output;

/// The one argument of verbs that are about one resource.
const NAME: &str = "name";
/// The flag that answers the question whether one is sure.
const YES: &str = "yes";

type Run<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;
type Running = dyn for<'a> Fn(&'a Session, &'a Output, &'a ArgMatches) -> Run<'a>;

/// A kind of thing, with all that can be done with it.
pub(crate) struct Noun {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) verbs: Vec<Verb>,
}

/// One thing that can be done.
pub(crate) struct Verb {
    pub(crate) command: Command,
    /// The rpcs that it calls.
    pub(crate) rpcs: Vec<MethodDescriptor>,
    run: Box<Running>,
}

impl Noun {
    /// The noun as clap has it.
    pub(crate) fn command(&self) -> Command {
        let verbs = self.verbs.iter().map(|verb| verb.command.clone());
        Command::new(self.name)
            .about(self.about)
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommands(verbs)
    }
}

impl Verb {
    /// Makes one call and shows its answer. `build` makes the request from the flags.
    pub(crate) fn call<A, R>(
        name: &'static str,
        about: &'static str,
        build: impl AsyncFn(&Session, A) -> Result<R> + Copy + 'static,
    ) -> Self
    where
        A: Args,
        R: Message + Name,
    {
        let run = async move |session: &Session, output: &Output, flags: A| {
            let request = build(session, flags).await?;
            output.answer(&session.call(&request).await?)
        };
        Self::special(name, about, vec![api::rpc::<R>()], run)
    }

    /// Makes one call about one resource, which is all that the request says.
    pub(crate) fn named<R: Name>(name: &'static str, about: &'static str, resource: Resource) -> Self {
        let rpc = api::rpc::<R>();
        let called = rpc.clone();
        let argument =
            Arg::new(NAME).value_name(resource.noun.to_uppercase()).required(true).help(resource.help());
        let command = describe(Command::new(name).arg(argument), about, std::slice::from_ref(&rpc));
        let run = running(move |session, output, matches| {
            let rpc = called.clone();
            Box::pin(async move {
                let name = match matches.get_one::<String>(NAME) {
                    Some(text) => resource.resolve(session, text).await?,
                    None => session.tenant().await?,
                };
                let mut request = DynamicMessage::new(rpc.input());
                request.set_field_by_name("name", Value::String(name));
                output.answer(&session.call_dynamic(&rpc, &request).await?)
            })
        });
        Self { command, rpcs: vec![rpc], run }
    }

    /// Lists all of a tenant's, as a table of these columns.
    pub(crate) fn list<R>(name: &'static str, about: &'static str, columns: &'static [&'static str]) -> Self
    where
        R: Message + Name + Default,
    {
        Self::list_by(name, about, columns, async |session: &Session, Nothing {}| {
            let mut request = api::reflect(&R::default())?;
            request.set_field_by_name("parent", Value::String(session.tenant().await?));
            api::typed::<R>(&request)
        })
    }

    /// Lists what the flags ask for.
    pub(crate) fn list_by<A, R>(
        name: &'static str,
        about: &'static str,
        columns: &'static [&'static str],
        build: impl AsyncFn(&Session, A) -> Result<R> + Copy + 'static,
    ) -> Self
    where
        A: Args,
        R: Message + Name,
    {
        let run = async move |session: &Session, output: &Output, flags: Listing<A>| {
            let request = build(session, flags.flags).await?;
            lists::show(session, output, &request, &flags.paging, columns).await
        };
        Self::special(name, about, vec![api::rpc::<R>()], run)
    }

    /// Does what only this verb does.
    pub(crate) fn special<A: Args>(
        name: &'static str,
        about: &'static str,
        rpcs: Vec<MethodDescriptor>,
        body: impl AsyncFn(&Session, &Output, A) -> Result<()> + Copy + 'static,
    ) -> Self {
        let command = describe(A::augment_args(Command::new(name)), about, &rpcs);
        let run = running(move |session, output, matches| {
            Box::pin(async move {
                let flags =
                    A::from_arg_matches(matches).map_err(|error| Failure::usage(error.to_string()))?;
                body(session, output, flags).await
            })
        });
        Self { command, rpcs, run }
    }

    /// About the tenant that the command is for, where no other is named.
    pub(crate) fn or_own(mut self) -> Self {
        let help = "The tenant: its id, its resource name, or what people call it; otherwise the one that the command is for";
        self.command = self.command.mut_arg(NAME, |name| name.required(false).help(help));
        self
    }

    /// Asks whether one is sure, because what it does is not easily undone.
    pub(crate) fn asks(mut self) -> Self {
        let help = "Do not ask whether you are sure. Required where nobody can answer";
        let yes = Arg::new(YES).long(YES).short('y').action(ArgAction::SetTrue).help(help);
        self.command = self.command.arg(yes);
        self
    }

    /// Runs it.
    pub(crate) async fn run(&self, session: &Session, output: &Output, matches: &ArgMatches) -> Result<()> {
        if matches.try_get_one::<bool>(YES).is_ok_and(|yes| yes == Some(&false)) {
            output.sure(&format!(
                "{} {}",
                self.command.get_name(),
                matches.get_one::<String>(NAME).map_or("", |name| name)
            ))?;
        }
        (self.run)(session, output, matches).await
    }
}

/// Boxes what a verb does. It is told its form before it is boxed, or it could not borrow what it is given.
fn running<F>(run: F) -> Box<Running>
where
    F: for<'a> Fn(&'a Session, &'a Output, &'a ArgMatches) -> Run<'a> + 'static,
{
    Box::new(run)
}

/// No flags.
#[derive(Args)]
pub(crate) struct Nothing {}

/// The flags of a list, with those of its pages.
#[derive(Args)]
struct Listing<A: Args> {
    #[command(flatten)]
    flags: A,
    #[command(flatten)]
    paging: Paging,
}

/// What help says: in short what we say, in long also what the protos say of the rpcs.
fn describe(command: Command, about: &'static str, rpcs: &[MethodDescriptor]) -> Command {
    let said = rpcs.iter().map(|rpc| format!("{}: {}", api::spelled(rpc), api::comment(rpc)));
    let long = std::iter::once(format!("{about}.")).chain(said).collect::<Vec<_>>().join("\n\n");
    command.about(about).long_about(long)
}
