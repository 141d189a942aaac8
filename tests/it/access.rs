//! Every rpc, every caller, every place: what the table says is what happens, and nothing else. A new rpc, role or
//! permission joins by itself.

mod call;
mod own;
pub(crate) mod people;
mod resources;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use muster_domain::permission::Permission;
use muster_proto::v1::Provider;
use muster_runtime::Error;
use muster_runtime::access::Caller;
use muster_runtime::access::table::{Named, Needs, Rule};
use muster_tests::{Stack, wait};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use self::call::{Rpc, rpcs};
use self::own::{admitted, is_others};
use self::people::{Person, own_role, strangers};
use self::resources::{World, nobodys, with_id};
use crate::scene::{self, WITHIN};

/// Calls at once.
const AT_ONCE: usize = 24;
/// References that the rpc's service cannot look up: gateways know no resources. One below another tenant's name is
/// refused all the same; any other id, whoever may have it, is one that nothing happens to.
const NOT_LOOKED_UP: [(&str, &str); 3] =
    [("WatchEvents", "campaign"), ("WatchEvents", "message"), ("WatchEvents", "phone_number")];
/// Codes that no caller should ever see here.
const FAULTS: [Code; 6] = [
    Code::Internal,
    Code::Unknown,
    Code::Unavailable,
    Code::Unimplemented,
    Code::DeadlineExceeded,
    Code::DataLoss,
];

/// What kind of question a call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A credential that is good for nothing: UNAUTHENTICATED, whatever the call is about.
    Unknown,
    /// A caller without what is needed: PERMISSION_DENIED, whatever the call is about.
    Denied,
    /// Another tenant's resource: NOT_FOUND, as if there were none.
    Hidden,
    /// A reference to another tenant's resource: INVALID_ARGUMENT, as if there were none.
    Referred,
    /// An operator's call about what is not there, or no credential where none is needed.
    Open,
    /// One's own, looked at.
    Read,
    /// One's own, changed.
    Changed,
    /// What is a member's own, by the member, who may do no more than that: OK, and everything else as if it were not there.
    Own,
}

/// One call that was made, and what was wrong with its answer.
struct Cell {
    rpc: String,
    kind: Kind,
    fault: Option<String>,
}

/// An answer as far as it may tell anything, without the names that the caller has sent.
#[derive(PartialEq)]
struct Answer {
    code: Code,
    message: String,
    details: String,
    field: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}, naming {:?}", self.code, self.message, self.field)
    }
}

impl Answer {
    fn of(status: &Status, names: &[(&str, String)]) -> Self {
        let mut message = status.message().to_owned();
        let mut details = format!("{:?}", status.get_error_details());
        for (_, name) in names {
            (message, details) = (message.replace(name, "it"), details.replace(name, "it"));
        }
        let violations = status.get_details_bad_request().map(|request| request.field_violations);
        let field = violations.and_then(|all| all.into_iter().next()).map(|violation| violation.field);
        Self { code: status.code(), message, details, field }
    }
}

struct Walk {
    stack: Stack,
    own: World,
    foreign: World,
}

type Names = Vec<(&'static str, String)>;

fn named(rule: &Rule) -> impl Iterator<Item = Named> {
    rule.about.into_iter().chain(rule.refers_to.iter().copied())
}

/// Names in the own tenant, in another, and in none: of a resource that is there or of one that is not.
fn elsewhere(pattern: &'static str, own: &World, foreign: &World) -> Vec<String> {
    let nowhere = nobodys("tenants/*", "");
    let theirs = foreign.of(pattern);
    let id = theirs.rsplit('/').next().unwrap_or_default().to_owned();
    let mut names = vec![theirs, nobodys(pattern, &nowhere)];
    if pattern != "tenants/*" {
        names.push(nobodys(pattern, &foreign.tenant));
        names.push(nobodys(pattern, &own.tenant));
        names.push(with_id(pattern, &own.tenant, &id));
    }
    names
}

impl Walk {
    fn names_in(world: &World, rule: &Rule) -> Names {
        // Where it depends on what is asked for which permission is needed, a reference may ask for what nobody has.
        let left_out = |named: &Named| matches!(rule.needs, Needs::Any(_)) && rule.refers_to.contains(named);
        let name = |named: &Named| if left_out(named) { String::new() } else { world.of(named.pattern) };
        named(rule).map(|named| (named.field, name(&named))).collect()
    }

    async fn call(&self, rpc: &Rpc, person: &Person, names: &Names) -> Result<Result<(), Status>> {
        let request = rpc.request(names.iter().cloned())?;
        Ok(rpc.call(&self.stack.operator, person.secret.as_deref(), request).await)
    }

    fn cell(&self, rpc: &Rpc, person: &Person, kind: Kind, fault: Option<String>) -> Cell {
        let fault = fault.map(|fault| format!("{} by {} ({kind:?}): {fault}", rpc.name(), person.label));
        Cell { rpc: rpc.name(), kind, fault }
    }

    /// All but changing one's own.
    async fn check(&self, rpc: &Rpc, person: &Person) -> Result<Vec<Cell>> {
        let refusal = match (rpc.rule.needs, person.caller) {
            (Needs::Nothing, _) => return self.openly(rpc, person).await,
            (_, None) => Some((Kind::Unknown, Error::unauthenticated())),
            (_, Some(caller)) => rpc.rule.admit(caller).err().map(|error| (Kind::Denied, error)),
        };
        if let Some((kind, error)) = refusal {
            return self.refused(rpc, person, kind, &Status::from(error)).await;
        }
        if let Needs::Own(permission) = rpc.rule.needs
            && let Some(own) = person.own_without(permission)
        {
            return self.own_only(rpc, person, (own, permission)).await;
        }
        let mut cells = match person.caller {
            Some(Caller::Operator) => self.for_all(rpc, person).await?,
            Some(Caller::Tenant(_)) | None => self.hidden(rpc, person).await?,
        };
        for reference in rpc.rule.refers_to {
            cells.extend(self.referred(rpc, person, *reference).await?);
        }
        if !rpc.rule.changes {
            let answer = self.call(rpc, person, &Self::names_in(&self.own, rpc.rule)).await?;
            let refused = answer.err().filter(|status| !is_others(rpc.rule, person, status));
            let fault = refused.map(|status| format!("a look at one's own is refused: {status:?}"));
            cells.push(self.cell(rpc, person, Kind::Read, fault));
        }
        Ok(cells)
    }

    /// The same refusal wherever it is about, before anything is looked up or even read.
    async fn refused(&self, rpc: &Rpc, person: &Person, kind: Kind, wanted: &Status) -> Result<Vec<Cell>> {
        let nowhere = nobodys("tenants/*", "");
        let missing: Names =
            named(rpc.rule).map(|named| (named.field, nobodys(named.pattern, &nowhere))).collect();
        let mut requests = vec![Rpc::empty(), rpc.request(missing)?];
        for world in [&self.own, &self.foreign] {
            requests.push(rpc.request(Self::names_in(world, rpc.rule))?);
        }
        let mut cells = Vec::new();
        for request in requests {
            let answer = rpc.call(&self.stack.operator, person.secret.as_deref(), request).await;
            let same = answer.as_ref().is_err_and(|status| {
                (status.code(), status.message(), status.details())
                    == (wanted.code(), wanted.message(), wanted.details())
            });
            let fault = (!same).then(|| format!("{answer:?}, not {wanted:?}"));
            cells.push(self.cell(rpc, person, kind, fault));
        }
        Ok(cells)
    }

    /// Whoever asks gets the same answer, where nothing is needed.
    async fn openly(&self, rpc: &Rpc, person: &Person) -> Result<Vec<Cell>> {
        let nobody = Person { label: String::new(), secret: None, caller: None, own: None };
        let names = Self::names_in(&self.own, rpc.rule);
        let answer = |outcome: Result<(), Status>| outcome.map_err(|status| Answer::of(&status, &names));
        let wanted = answer(self.call(rpc, &nobody, &names).await?);
        let got = answer(self.call(rpc, person, &names).await?);
        let fault = (got != wanted).then(|| format!("{got:?}, not {wanted:?}"));
        Ok(vec![self.cell(rpc, person, Kind::Open, fault)])
    }

    /// What is another tenant's is to a tenant as if it were not there.
    async fn hidden(&self, rpc: &Rpc, person: &Person) -> Result<Vec<Cell>> {
        let Some(about) = rpc.rule.about else { return Ok(Vec::new()) };
        let rest = Self::names_in(&self.own, rpc.rule);
        let (mut cells, mut first) = (Vec::new(), None);
        for name in elsewhere(about.pattern, &self.own, &self.foreign) {
            let mut names = rest.clone();
            names[0].1.clone_from(&name);
            let answer = self.call(rpc, person, &names).await?.err();
            let answer = answer.map(|status| Answer::of(&status, &names[..1]));
            let hidden = answer.as_ref().is_some_and(|answer| answer.code == Code::NotFound);
            let fault = (!hidden || first.as_ref().is_some_and(|first| *first != answer))
                .then(|| format!("{name}: {answer:?}, but elsewhere {first:?}"));
            cells.push(self.cell(rpc, person, Kind::Hidden, fault));
            first.get_or_insert(answer);
        }
        Ok(cells)
    }

    /// An operator is admitted everywhere.
    async fn for_all(&self, rpc: &Rpc, person: &Person) -> Result<Vec<Cell>> {
        let mut cells = Vec::new();
        let Some(about) = rpc.rule.about else { return Ok(cells) };
        let foreign_read = (!rpc.rule.changes).then(|| Self::names_in(&self.foreign, rpc.rule));
        let mut missing = Self::names_in(&self.own, rpc.rule);
        missing[0].1 = nobodys(about.pattern, &nobodys("tenants/*", ""));
        for names in foreign_read.into_iter().chain([missing]) {
            let fault = admitted(self.call(rpc, person, &names).await?);
            cells.push(self.cell(rpc, person, Kind::Open, fault));
        }
        Ok(cells)
    }

    /// What is another tenant's can be referred to as little as what is not there.
    async fn referred(&self, rpc: &Rpc, person: &Person, reference: Named) -> Result<Vec<Cell>> {
        let blind = NOT_LOOKED_UP.contains(&(rpc.rule.method, reference.field));
        let (mut cells, mut first) = (Vec::new(), None);
        for name in elsewhere(reference.pattern, &self.own, &self.foreign) {
            let mut names = Self::names_in(&self.own, rpc.rule);
            names.retain(|(field, _)| *field != reference.field);
            names.push((reference.field, name.clone()));
            let outcome = self.call(rpc, person, &names).await?;
            if blind && name.starts_with(&self.own.tenant) {
                // Whoever may read nothing that has what is referred to is told so.
                let of_others = |status: &Status| {
                    matches!(rpc.rule.needs, Needs::Any(_)) && status.code() == Code::PermissionDenied
                };
                let fault = outcome.err().filter(|status| !of_others(status));
                let fault = fault.map(|status| format!("{name}: {status:?}"));
                cells.push(self.cell(rpc, person, Kind::Referred, fault));
                continue;
            }
            let answer = outcome.err().map(|status| Answer::of(&status, &[(reference.field, name.clone())]));
            let names_it =
                answer.as_ref().is_some_and(|answer| answer.field.as_deref() == Some(reference.field));
            let fault = (!names_it || first.as_ref().is_some_and(|first| *first != answer))
                .then(|| format!("{} = {name}: {answer:?}, but elsewhere {first:?}", reference.field));
            cells.push(self.cell(rpc, person, Kind::Referred, fault));
            first.get_or_insert(answer);
        }
        Ok(cells)
    }

    /// Changes one's own, by everybody who may, the weakest first.
    async fn change(&self, rpc: &Rpc) -> Result<Vec<Cell>> {
        let of_tenant = rpc
            .rule
            .about
            .is_some_and(|about| about.pattern == "tenants/*" && about.field != "parent" && rpc.rule.changes);
        // What happens to a whole tenant happens to one that nobody needs any more.
        let spare = if of_tenant { Some(World::create(&self.stack, Provider::Twilio).await?) } else { None };
        let world = spare.as_ref().unwrap_or(&self.own);
        let mut names = Self::names_in(world, rpc.rule);
        for (field, name) in &mut names {
            let role = rpc
                .rule
                .refers_to
                .iter()
                .any(|named| named.field == *field && named.pattern.ends_with("/roles/*"));
            if let (true, Needs::One(permission) | Needs::Own(permission)) = (role, rpc.rule.needs) {
                // One that whoever may make this call has.
                *name = own_role(&self.stack.operator, &world.tenant, &[permission]).await?;
            }
        }
        let mut cells = Vec::new();
        for person in world.people.iter().filter(|person| may(rpc.rule, person)) {
            if let Needs::Own(permission) = rpc.rule.needs {
                cells.extend(self.change_own(rpc, person).await?);
                if person.own_without(permission).is_some() {
                    continue;
                }
            }
            let outcome = self.call(rpc, person, &names).await?;
            let ended = |status: &Status| {
                let reason = status.get_details_error_info().map(|info| info.reason);
                of_tenant && reason.as_deref() == Some("TENANT_SUSPENDED")
            };
            let fault = if outcome.as_ref().is_err_and(ended) { None } else { admitted(outcome) };
            cells.push(self.cell(rpc, person, Kind::Changed, fault));
        }
        Ok(cells)
    }
}

fn may(rule: &Rule, person: &Person) -> bool {
    rule.needs != Needs::Nothing && person.caller.is_some_and(|caller| rule.needs.met_by(caller))
}

/// Demands that no call went wrong, and that each rpc was asked everything that can be asked of it.
fn judge(rpcs: &[Rpc], cells: &[Cell], strangers: usize) -> Result<BTreeMap<Kind, usize>> {
    // One of each kind says enough.
    let faults: BTreeMap<_, _> =
        cells.iter().filter_map(|cell| Some(((&cell.rpc, cell.kind), cell.fault.as_deref()?))).collect();
    let shown = faults.values().copied().collect::<Vec<_>>().join("\n");
    let wrong = cells.iter().filter(|cell| cell.fault.is_some()).count();
    ensure!(wrong == 0, "{wrong} of {} calls went wrong, such as:\n{shown}", cells.len());
    for rpc in rpcs {
        let (rule, name) = (rpc.rule, rpc.name());
        let count = |kind| cells.iter().filter(|cell| cell.rpc == name && cell.kind == kind).count();
        if rule.needs == Needs::Nothing {
            ensure!(count(Kind::Open) > strangers, "{name} was not asked by everybody");
            continue;
        }
        ensure!(count(Kind::Unknown) == 4 * strangers, "{name} was not asked by every stranger, everywhere");
        let anyone = rule.needs == Needs::Caller;
        let enough = match rule.needs {
            Needs::Any(permissions) => permissions.len(),
            _ => 2,
        };
        ensure!(
            anyone || count(Kind::Denied) >= 4 * (Permission::ALL.len() - enough),
            "{name} was denied too seldom"
        );
        let operators = rule.needs == Needs::Operator;
        ensure!(rule.about.is_none() || operators || count(Kind::Hidden) > 0, "{name} hid nothing");
        ensure!(rule.refers_to.is_empty() || count(Kind::Referred) > 0, "{name} referred to nothing");
        let own = if rule.changes { Kind::Changed } else { Kind::Read };
        ensure!(count(own) > 0, "{name} was done by nobody");
        let by_members = matches!(rule.needs, Needs::Own(_));
        ensure!(!by_members || count(Kind::Own) > 1, "{name} was done by no member about what is theirs");
    }
    let mut tally = BTreeMap::new();
    for cell in cells {
        *tally.entry(cell.kind).or_insert(0) += 1;
    }
    Ok(tally)
}

#[tokio::test]
async fn every_rpc_is_open_to_those_whom_the_table_names_and_to_nobody_else() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let own = World::create(&stack, Provider::Twilio).await?;
    let strangers = strangers(&stack, &own.tenant).await?;
    let foreign = World::create(&stack, Provider::Telnyx).await?;
    for person in &strangers {
        // What was revoked or has expired may be remembered for a moment, at either door.
        for door in rpcs()?.iter().filter(|rpc| ["ListCampaigns", "WatchEvents"].contains(&rpc.rule.method)) {
            let out = async || {
                let answer = door.call(&stack.operator, person.secret.as_deref(), Rpc::empty()).await;
                Ok(answer.is_err_and(|status| status.code() == Code::Unauthenticated).then_some(()))
            };
            wait::until(&format!("{} to be out", person.label), WITHIN, out).await?;
        }
    }
    let walk = Walk { stack, own, foreign };
    let mut rpcs = rpcs()?;
    let pairs: Vec<(Rpc, Person)> = rpcs
        .iter()
        .flat_map(|rpc| {
            walk.own.people.iter().chain(&strangers).map(move |person| (rpc.clone(), person.clone()))
        })
        .collect();
    let checks = pairs.iter().map(|(rpc, person)| walk.check(rpc, person));
    let mut checked = futures::stream::iter(checks).buffer_unordered(AT_ONCE);
    let mut cells = Vec::new();
    while let Some(more) = checked.next().await {
        cells.extend(more.context("a call could not be made")?);
    }
    drop(checked);
    // What is deleted is deleted last.
    rpcs.sort_by_key(|rpc| rpc.rule.method.starts_with("Delete"));
    for rpc in rpcs.iter().filter(|rpc| rpc.rule.changes) {
        cells.extend(walk.change(rpc).await?);
    }
    let tally = judge(&rpcs, &cells, strangers.len())?;
    println!("{} rpcs, {} calls: {tally:?}", rpcs.len(), cells.len());
    ensure!(tally.len() == 8, "not every kind of call was made: {tally:?}");
    Ok(())
}
