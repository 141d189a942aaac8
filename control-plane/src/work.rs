//! The background loops. Each is idempotent, may run twice at once, runs on a timer and on a nudge, and explains
//! itself at the top of its file.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_runtime::bus::Bus;
use muster_runtime::objects::Objects;
use muster_runtime::supervise::Tasks;

use crate::db::Database;
use crate::hours::Window;
use crate::nudge::Nudges;
use crate::work::ends::Ends;

mod alarm;
mod daily;
mod dispatch;
pub(crate) mod ends;
mod facts;
mod fold;
mod health;
mod inbound;
mod media;
mod moves;
mod nodes;
mod numbers;
mod order;
mod pace;
mod plan;
mod progress;
mod project;
mod purge;
mod reap;
mod receipts;
mod relay;
mod retention;
mod room;
mod sweep;
mod trials;

/// What every loop needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) db: Database,
    pub(crate) bus: Bus,
    pub(crate) nudges: Arc<Nudges>,
    /// How texts ended that this process projected.
    pub(crate) ends: Arc<Mutex<Ends>>,
    pub(crate) claim_deadline: Duration,
    pub(crate) order_deadline: Duration,
    pub(crate) receipt_delay: Duration,
    /// The share of calls that may end UNCONFIRMED before it is an alarm.
    pub(crate) unconfirmed_alarm_share: f64,
    /// The platform's retention, in days; 0 for ever.
    pub(crate) retention_days_max: i32,
    /// The platform's hours.
    pub(crate) hours: Window,
    pub(crate) objects: Objects,
}

/// Starts all loops.
pub(crate) fn start(context: &Context, tasks: &Tasks) {
    let c = context.clone();
    tasks.keep_running("plan", move || plan::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("dispatch", move || dispatch::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("relay orders", move || relay::run_orders(c.clone()));
    let c = context.clone();
    tasks.keep_running("relay statuses", move || relay::run_statuses(c.clone()));
    let c = context.clone();
    tasks.keep_running("project", move || project::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("progress", move || progress::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("health", move || health::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("reap", move || reap::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("missing receipts", move || receipts::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("alarm", move || alarm::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("sweep", move || sweep::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("purge", move || purge::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("retention", move || retention::run(c.clone()));
    let c = context.clone();
    tasks.keep_running("erase media", move || media::run(c.clone()));
}
