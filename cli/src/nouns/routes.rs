//! Which provider accounts texts go through.

use clap::Args;
use muster_proto::v1::{
    CreateRouteRequest, DeleteRouteRequest, GetRouteRequest, ListRoutesRequest, Route, UpdateRouteRequest,
};

use crate::failure::Result;
use crate::flags::{self, Mask};
use crate::resource::{ACCOUNT, ROUTE};
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn noun() -> Noun {
    let columns = &["name", "provider_account", "priority", "weight", "kinds", "when_down"];
    Noun {
        name: "routes",
        about: "Which provider accounts texts go through",
        verbs: vec![
            Verb::call("create", "Create a route over a provider account", create),
            Verb::named::<GetRouteRequest>("get", "Show a route", ROUTE),
            Verb::list::<ListRoutesRequest>("list", "List routes", columns),
            Verb::call("update", "Change a route; new messages are planned by it at once", update),
            Verb::named::<DeleteRouteRequest>("delete", "Delete a route", ROUTE).asks(),
        ],
    }
}

#[derive(Args)]
struct Create {
    /// The provider account: its id, its resource name, or what people call it
    account: String,
    #[command(flatten)]
    values: Values,
}

#[derive(Args)]
struct Update {
    /// The route: its id or its resource name
    route: String,
    #[command(flatten)]
    values: Values,
}

#[derive(Args)]
struct Values {
    /// 0 to 100; the lower is used before the higher
    #[arg(long)]
    priority: Option<i32>,
    /// Its share among the routes of the same priority, 1 to 100
    #[arg(long)]
    weight: Option<i32>,
    /// A kind of message that it carries; can be repeated. All of them where none is given
    #[arg(long = "kind", value_parser = flags::choice("MessageKind"))]
    kinds: Option<Vec<i32>>,
    /// What becomes of texts that wait for it while its provider does not answer
    #[arg(long, value_parser = flags::choice("WhenDown"))]
    when_down: Option<i32>,
}

impl Values {
    fn route(self, mask: &mut Mask) -> Route {
        Route {
            priority: mask.take("priority", self.priority),
            weight: mask.take("weight", self.weight),
            kinds: mask.take("kinds", self.kinds),
            when_down: mask.take("when_down", self.when_down),
            ..Route::default()
        }
    }
}

async fn create(session: &Session, flags: Create) -> Result<CreateRouteRequest> {
    let provider_account = ACCOUNT.resolve(session, &flags.account).await?;
    let route = Route { provider_account, ..flags.values.route(&mut Mask::default()) };
    Ok(CreateRouteRequest { parent: session.tenant().await?, route: Some(route) })
}

async fn update(session: &Session, flags: Update) -> Result<UpdateRouteRequest> {
    let mut mask = Mask::default();
    let name = ROUTE.resolve(session, &flags.route).await?;
    let route = Route { name, ..flags.values.route(&mut mask) };
    Ok(UpdateRouteRequest { route: Some(route), update_mask: mask.done()? })
}
