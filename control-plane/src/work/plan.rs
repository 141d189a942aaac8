//! The planner: makes one message for each contact of a started campaign, in the order of the contacts' ids, and
//! queues it at once where the campaign broadcasts.
//!
//! A page of contacts is planned in one transaction that also moves the campaign's cursor from where it was: so
//! two planners, or one that died, never plan a contact twice. Should the cursor ever be wrong, the table still
//! refuses a second message for the same contact.

use std::sync::Arc;
use std::time::Duration;

use muster_domain::phone::PhoneNumber;
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
use crate::store::numbers::{Number, pool_numbers};
use crate::store::plans::{Plan, assignments_insert, messages_insert, queue_insert};
use crate::store::tenants::tenant_window;
use crate::store::transitions::{Owner, Transition, record};
use crate::work::Context;

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
    let numbers = Numbers::new(pool_numbers(&tx, campaign.pool).await?);
    let template = Template::parse(&campaign.template)?;
    let window = tenant_window(&tx, campaign.tenant).await?.and(context.hours);
    let sending = Sending { campaign, window, now: Micros::now() };
    let plan = |contact| plan(contact, &template, &numbers, &sending);
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

/// The message for one contact; `None` where the template cannot be filled for them, or nothing is left to say.
fn plan(contact: &Contact, template: &Template, numbers: &Numbers, sending: &Sending<'_>) -> Option<Plan> {
    let (due_time, expire_time) = sending.times(&contact.phone);
    let mut body = String::with_capacity(template.source().len() + 32);
    template.render(|field| contact.fields.get(field).map(String::as_str), &mut body).ok()?;
    if body.chars().count() > BODY_CHARS_MAX {
        return None;
    }
    Some(Plan {
        message: clock::new_id(),
        contact: contact.id,
        number: numbers.for_contact(&contact.phone)?,
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
            from: None,
            since: None,
            to: State { status, ..State::CREATED },
            time: now,
            cause: cause.clone(),
            provider_message_id: String::new(),
        })
        .collect();
    record(tx, &transitions).await?;
    Ok(())
}

/// A pool's numbers, to choose from.
struct Numbers {
    numbers: Vec<(PhoneNumber, Uuid)>,
}

impl Numbers {
    fn new(numbers: Vec<Number>) -> Self {
        let named = |number: Number| (PhoneNumber::from_e164_trusted(number.phone), number.id);
        let mut numbers: Vec<_> = numbers.into_iter().map(named).collect();
        // By area code, so that those of one area code stand together; then by number, so that the order, and
        // with it every contact's number, depends on the pool alone.
        numbers.sort_by(|(a, _), (b, _)| (a.area_code(), a).cmp(&(b.area_code(), b)));
        Self { numbers }
    }

    /// The number for a contact: of the same area code where the pool has any, and always the same one while the
    /// pool does not change. Phone numbers end in well mixed digits, so this spreads contacts evenly.
    fn for_contact(&self, phone: &str) -> Option<Uuid> {
        let contact = PhoneNumber::from_e164_trusted(phone);
        let area = contact.area_code();
        let begin = self.numbers.partition_point(|(number, _)| number.area_code() < area);
        let end = self.numbers.partition_point(|(number, _)| number.area_code() <= area);
        let local = self.numbers.get(begin..end).filter(|local| !local.is_empty());
        let choices = local.unwrap_or(&self.numbers);
        let digits: usize = phone.get(1..)?.parse().ok()?;
        choices.get(digits.checked_rem(choices.len())?).map(|(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(phone: &str, id: u128) -> Number {
        Number {
            id: Uuid::from_u128(id),
            pool: Uuid::nil(),
            account: Uuid::nil(),
            phone: phone.to_owned(),
            kind: 1,
            segments_per_second: 1.0,
            create_time: Micros(0),
        }
    }

    #[test]
    fn a_contact_is_texted_from_their_area_code_and_keeps_their_number() {
        let numbers =
            || vec![number("+14155552000", 1), number("+12125552000", 2), number("+12125552001", 3)];
        let pool = Numbers::new(numbers());
        for contact in ["+12125553000", "+12125553001", "+12125559999"] {
            let chosen = pool.for_contact(contact);
            assert!([Some(Uuid::from_u128(2)), Some(Uuid::from_u128(3))].contains(&chosen));
            let mut other_order = numbers();
            other_order.reverse();
            assert_eq!(Numbers::new(other_order).for_contact(contact), chosen);
        }
        assert!(
            pool.for_contact("+13035551234").is_some(),
            "no number of that area code: any number will do"
        );
        assert_eq!(Numbers::new(Vec::new()).for_contact("+13035551234"), None);
    }
}
