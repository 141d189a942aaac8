//! The planner: makes one message for each contact of a started campaign, in the order of the contacts' ids, and
//! queues it at once where the campaign broadcasts.
//!
//! A page of contacts is planned in one transaction that also moves the campaign's cursor from where it was: so
//! two planners, or one that died, never plan a contact twice. Should the cursor ever be wrong, the table still
//! refuses a second message for the same contact.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::status::{State, Status};
use muster_domain::template::Template;
use muster_domain::text::{self, BODY_CHARS_MAX};
use muster_runtime::clock;
use uuid::Uuid;

use crate::db::{Micros, SystemTx};
use crate::hours::{Window, open_at};
use crate::nudge::nudged;
use crate::store::Page;
use crate::store::campaigns::{Campaign, Mode, PlanStep, campaign_plan_step, campaigns_to_plan};
use crate::store::contacts::{Contact, contacts_to_plan};
use crate::store::conversations::numbers_talked_with;
use crate::store::numbers::pool_numbers;
use crate::store::plans::{Plan, assignments_insert, messages_insert, queue_insert};
use crate::store::routes::routes_of;
use crate::store::tenants::tenant_window;
use crate::store::transitions::{Moved, Owner, Transition, record};
use crate::work::Context;
use crate::work::numbers::Numbers;

/// How often the planner looks for work when nobody nudges it.
const TIMER: Duration = Duration::from_secs(1);
/// Contacts in one transaction.
const PAGE: i64 = 4_000;

/// Runs the planner.
pub(crate) async fn run(context: Context) -> anyhow::Result<()> {
    loop {
        let campaigns = {
            let mut client = context.db.system().await?;
            let tx = SystemTx::begin(&mut client).await?;
            campaigns_to_plan(&tx).await?
        };
        // One page of each in turn, so that a huge campaign does not hold up a small one.
        let mut all_done = true;
        for campaign in &campaigns {
            all_done &= plan_page(&context, campaign).await.unwrap_or_else(|error| {
                // The others must not wait for one that cannot be planned.
                tracing::error!(campaign.id = %campaign.id, error = format!("{error:#}"), "a campaign cannot be planned");
                true
            });
        }
        if all_done {
            nudged(&context.nudges.plan, TIMER).await;
        }
    }
}

/// Plans the next contacts of `campaign`. Returns whether there are no more.
async fn plan_page(context: &Context, campaign: &Campaign) -> anyhow::Result<bool> {
    let mut client = context.db.system().await?;
    let tx = SystemTx::begin(&mut client).await?;
    let page = Page { after: campaign.planned_after, limit: PAGE };
    let contacts = contacts_to_plan(&tx, campaign.list, &page).await?;
    let routes = routes_of(&tx, campaign.tenant).await?;
    let numbers = Numbers::new(&pool_numbers(&tx, campaign.pool).await?, &routes, campaign.kind());
    if numbers.is_empty() {
        // Its routes went since it was started; it goes on when there is one again.
        return Ok(true);
    }
    let phones: Vec<&str> = contacts.iter().map(|contact| contact.phone.as_str()).collect();
    let talks = numbers_talked_with(&tx, campaign.tenant, &phones, &numbers.phones()).await?;
    let template = Template::parse(&campaign.template)?;
    let window = tenant_window(&tx, campaign.tenant).await?.and(context.hours);
    let sending = Sending { campaign, window, now: Micros::now() };
    let plan = |contact: &Contact| {
        let number = numbers.for_contact(&contact.phone, talks.get(&contact.phone).map(String::as_str))?;
        plan(contact, number, &template, &sending)
    };
    let plans: Vec<Plan> = contacts.iter().filter_map(plan).collect();
    let done = contacts.len() < usize::try_from(PAGE)?;
    let step = PlanStep {
        from: campaign.planned_after,
        to: contacts.last().map_or(campaign.planned_after, |contact| contact.id),
        planned: i64::try_from(plans.len())?,
        unplannable: i64::try_from(contacts.len() - plans.len())?,
        done,
    };
    if !campaign_plan_step(&tx, campaign.id, &step).await? {
        return Ok(true);
    }
    write(&tx, campaign, &plans, sending.now).await?;
    // Also where nothing was planned: that all of it is, is news.
    let _telling = context.nudges.telling(Moved(vec![campaign.id]));
    tx.commit().await?;
    if campaign.mode == Mode::Broadcast {
        context.nudges.dispatch.notify_one();
        context.nudges.statuses.notify_one();
    }
    Ok(done)
}

/// How a campaign's texts go out.
struct Sending<'a> {
    campaign: &'a Campaign,
    window: Window,
    now: Micros,
}

impl Sending<'_> {
    /// When a text to `phone` may go out and until when, where the campaign broadcasts: from the moment that the
    /// recipient's hours begin.
    fn times(&self, phone: &str) -> (Micros, Option<Micros>) {
        match self.campaign.mode {
            Mode::Click => (self.now, None),
            Mode::Broadcast => {
                let due = open_at(phone, self.window, self.now);
                (due, Some(Micros(due.0 + i64::from(self.campaign.validity_s) * 1_000_000)))
            }
        }
    }
}

/// The message for one contact from a number; `None` where the template cannot be filled for them, or nothing is left
/// to say.
fn plan(contact: &Contact, number: Uuid, template: &Template, sending: &Sending<'_>) -> Option<Plan> {
    let (due_time, expire_time) = sending.times(&contact.phone);
    let mut body = String::with_capacity(template.source().len() + 32);
    template.render(|field| contact.fields.get(field).map(String::as_str), &mut body).ok()?;
    if body.chars().count() > BODY_CHARS_MAX {
        return None;
    }
    Some(Plan {
        message: clock::new_id(),
        contact: contact.id,
        number,
        phone: contact.phone.clone(),
        segments: i16::try_from(text::count(&body).segments).ok()?,
        body,
        due_time,
        expire_time,
    })
}

async fn write(tx: &SystemTx<'_>, campaign: &Campaign, plans: &[Plan], now: Micros) -> anyhow::Result<()> {
    let status = match campaign.mode {
        Mode::Click => Status::Created,
        Mode::Broadcast => Status::Queued,
    };
    messages_insert(tx, campaign.tenant, campaign.id, plans, status.code(), now).await?;
    match campaign.mode {
        Mode::Click => assignments_insert(tx, campaign.tenant, campaign.id, plans).await?,
        Mode::Broadcast => queue_insert(tx, campaign.tenant, campaign.id, plans).await?,
    }
    let cause: Arc<str> = "campaign".into();
    let transitions: Vec<Transition> = plans
        .iter()
        .map(|plan| Transition {
            message: plan.message,
            owner: Owner { tenant: campaign.tenant, campaign: campaign.id },
            number: plan.number,
            from: None,
            since: None,
            to: State { status, ..State::CREATED },
            time: now,
            cause: cause.clone(),
            provider_message_id: String::new(),
        })
        .collect();
    let _campaign = record(tx, &transitions).await?;
    Ok(())
}
