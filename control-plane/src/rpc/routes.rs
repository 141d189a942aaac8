//! Routes over provider accounts.

use muster_domain::id::TenantId;
use muster_proto::v1::route_service_server::RouteService;
use muster_proto::v1::{
    CreateRouteRequest, DeleteRouteRequest, DeleteRouteResponse, GetRouteRequest, ListRoutesRequest,
    ListRoutesResponse, MessageKind, Route, UpdateRouteRequest, WhenDown as WireWhenDown,
};
use muster_runtime::{Error, Result, clock, name};
use tonic::{Request, Response, Status};

use crate::audit::Act;
use crate::db::{Micros, TenantTx};
use crate::rpc::{Api, caller, masked, missing, page, reference, required, resource, tenant_of_parent};
use crate::store::accounts::{PATTERN as ACCOUNT, account_get};
use crate::store::routes::{
    self, Kind, WhenDown, route_delete, route_get, route_insert, route_lock, route_update, routes_list,
};

const ROUTE: &str = "tenants/*/routes/*";
/// The highest priority number.
const PRIORITY_MAX: i16 = 100;
/// The highest weight.
const WEIGHT_MAX: i16 = 100;
/// What an update may change.
const MUTABLE: [&str; 4] = ["priority", "weight", "kinds", "when_down"];

fn encode(tenant: TenantId, route: &routes::Route) -> Route {
    Route {
        name: name::format(ROUTE, &[tenant.0, route.id]),
        provider_account: name::format(ACCOUNT, &[tenant.0, route.account]),
        priority: i32::from(route.priority),
        weight: i32::from(route.weight),
        kinds: route.kinds.iter().map(|kind| *kind as i32).collect(),
        when_down: route.when_down as i32,
        create_time: Some(route.create_time.timestamp()),
    }
}

/// A number of the request from `least` to `most`.
fn bounded(value: i32, least: i16, most: i16, field: &str) -> Result<i16> {
    let value = i16::try_from(value).ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| Error::invalid(field, format!("must be {least} to {most}")))
}

fn priority(wanted: &Route) -> Result<i16> {
    bounded(wanted.priority, 0, PRIORITY_MAX, "route.priority")
}

fn weight(wanted: &Route) -> Result<i16> {
    if wanted.weight == 0 { Ok(1) } else { bounded(wanted.weight, 1, WEIGHT_MAX, "route.weight") }
}

fn kinds(wanted: &Route) -> Result<Vec<Kind>> {
    if wanted.kinds.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let mut kinds = Vec::new();
    for kind in wanted.kinds() {
        let kind = match kind {
            MessageKind::Sms => Kind::Sms,
            MessageKind::Mms => Kind::Mms,
            MessageKind::Unspecified => return Err(unknown_kind()),
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    // The iterator leaves out what this build does not know.
    if wanted.kinds().count() == wanted.kinds.len() { Ok(kinds) } else { Err(unknown_kind()) }
}

fn unknown_kind() -> Error {
    Error::invalid("route.kinds", "must be MESSAGE_KIND_SMS or MESSAGE_KIND_MMS")
}

fn when_down(wanted: &Route) -> Result<WhenDown> {
    match WireWhenDown::try_from(wanted.when_down) {
        Ok(WireWhenDown::Unspecified | WireWhenDown::Wait) => Ok(WhenDown::Wait),
        Ok(WireWhenDown::Move) => Ok(WhenDown::Move),
        Err(_unknown) => Err(Error::invalid("route.when_down", "must be WHEN_DOWN_WAIT or WHEN_DOWN_MOVE")),
    }
}

fn change(route: &mut routes::Route, wanted: &Route, paths: &[&str]) -> Result<()> {
    for path in paths {
        match *path {
            "priority" => route.priority = priority(wanted)?,
            "weight" => route.weight = weight(wanted)?,
            "kinds" => route.kinds = kinds(wanted)?,
            "when_down" => route.when_down = when_down(wanted)?,
            other => return Err(Error::invalid("update_mask", format!("{other} cannot be changed"))),
        }
    }
    Ok(())
}

#[tonic::async_trait]
impl RouteService for Api {
    async fn create_route(&self, request: Request<CreateRouteRequest>) -> Result<Response<Route>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let wanted = required(request.route, "route")?;
        let route = routes::Route {
            id: clock::new_id(),
            account: reference(tenant, ACCOUNT, &wanted.provider_account, "route.provider_account")?,
            priority: priority(&wanted)?,
            weight: weight(&wanted)?,
            kinds: kinds(&wanted)?,
            when_down: when_down(&wanted)?,
            create_time: Micros::now(),
        };
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        if account_get(&tx, route.account).await?.is_none() {
            return Err(missing("route.provider_account", &wanted.provider_account).into());
        }
        route_insert(&tx, tenant.0, &route).await.map_err(|error| {
            if error.is_unique_violation() {
                Error::already_exists(format!("{} has a route", wanted.provider_account))
            } else {
                error.into()
            }
        })?;
        let route = encode(tenant, &route);
        tx.commit(act.created(&route)?).await?;
        // Campaigns may have waited for a route.
        self.nudges.plan.notify_one();
        Ok(Response::new(route))
    }

    async fn get_route(&self, request: Request<GetRouteRequest>) -> Result<Response<Route>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, ROUTE, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let route = route_get(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        Ok(Response::new(encode(tenant, &route)))
    }

    async fn list_routes(
        &self,
        request: Request<ListRoutesRequest>,
    ) -> Result<Response<ListRoutesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("routes {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let mut rows = routes_list(&TenantTx::begin(&mut client, tenant).await?, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |route| route.id);
        let routes = rows.iter().map(|route| encode(tenant, route)).collect();
        Ok(Response::new(ListRoutesResponse { routes, next_page_token }))
    }

    async fn update_route(&self, request: Request<UpdateRouteRequest>) -> Result<Response<Route>, Status> {
        let (caller, act) = Act::of(&request)?;
        let request = request.into_inner();
        let wanted = required(request.route, "route")?;
        let (tenant, id) = resource(caller, ROUTE, &wanted.name, "route.name")?;
        let set = [wanted.priority != 0, wanted.weight != 0, !wanted.kinds.is_empty(), wanted.when_down != 0];
        let paths = masked(request.update_mask, &MUTABLE, &set)?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut route = route_lock(&tx, id).await?.ok_or_else(|| Error::not_found(&wanted.name))?;
        let before = encode(tenant, &route);
        change(&mut route, &wanted, &paths)?;
        route_update(&tx, &route).await?;
        let route = encode(tenant, &route);
        tx.commit(act.changed(&before, &route)?).await?;
        self.nudges.plan.notify_one();
        Ok(Response::new(route))
    }

    async fn delete_route(
        &self,
        request: Request<DeleteRouteRequest>,
    ) -> Result<Response<DeleteRouteResponse>, Status> {
        let (caller, act) = Act::of(&request)?;
        let name = request.into_inner().name;
        let (tenant, id) = resource(caller, ROUTE, &name, "name")?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let route = route_lock(&tx, id).await?.ok_or_else(|| Error::not_found(&name))?;
        route_delete(&tx, id).await?;
        tx.commit(act.deleted(&encode(tenant, &route))?).await?;
        self.nudges.plan.notify_one();
        Ok(Response::new(DeleteRouteResponse {}))
    }
}
