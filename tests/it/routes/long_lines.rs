//! Lines of thousands of texts that stay where they are: whoever may move does all the same.

use anyhow::{Context, Result};
use muster_proto::v1::WhenDown;
use muster_tests::wait;

use super::{MOVED, NOBODY, Two, of_first, route};
use crate::scene::{self, WITHIN};

/// $3 more messages of campaign $1 that wait, due long ago, in equal parts for the numbers $2; everybody has a conversation
/// with their number.
const CROWD: &str = "
WITH crowd AS (
    SELECT uuid_in(md5(n.id::text || i)::cstring) AS id, n.id AS number_id, n.phone AS number_phone, n.tenant_id,
           '+1206' || lpad((row_number() OVER ())::text, 7, '0') AS phone
    FROM phone_numbers n, generate_series(1, $3::bigint / cardinality($2::text[])) AS i
    WHERE n.phone = ANY ($2)
), texts AS (
    INSERT INTO messages (id, tenant_id, campaign_id, contact_id, number_id, phone, body, segments, create_time)
    SELECT id, tenant_id, $1, id, number_id, phone, 'Hi!', 1, now() FROM crowd
), states AS (
    INSERT INTO message_states (message_id, tenant_id, campaign_id, update_time, expire_time, status, attempt)
    SELECT id, tenant_id, $1, now(), now() + interval '4 hours', 2, 1 FROM crowd
), talk AS (
    INSERT INTO conversations (tenant_id, phone, number_phone, texter, update_time, id)
    SELECT tenant_id, phone, number_phone, '', now(), gen_random_uuid() FROM crowd
)
INSERT INTO queue (campaign_id, number_id, message_id, tenant_id, segments, attempt, due_time, expire_time)
SELECT $1, number_id, id, tenant_id, 1, 1, now() - interval '1 hour', now() + interval '4 hours' FROM crowd";

#[tokio::test]
async fn conversations_that_wait_hold_up_nobody_who_may_move() -> Result<()> {
    // More than are looked at in one look, all of them ahead of those that may move.
    const TALKING: i64 = 6_000;
    const CONTACTS: usize = 400;
    let stack = scene::stack(scene::quick()).await?;
    let two = Two::accounts(&stack, CONTACTS).await?;
    two.routes([route(0, 1, WhenDown::Move), route(0, 1, WhenDown::Wait)]).await?;
    two.first_at(&stack, NOBODY).await?;
    let campaign = two.broadcast(&[]).await?;
    let planned = two.planned(&campaign, CONTACTS).await?;
    // As if the campaign had thousands more whose recipients talk with their numbers, due before all others.
    let database = stack.sql().await?;
    let id: uuid::Uuid = campaign.rsplit('/').next().context("an id")?.parse()?;
    let numbers: Vec<&String> = two.numbers[0].iter().collect();
    database.execute(CROWD, &[&id, &numbers, &TALKING]).await?;
    let left = of_first(&two, &planned).len();
    let moved = async || {
        let moved: i64 = database.query_one(MOVED, &[]).await?.get(0);
        Ok((usize::try_from(moved)? >= left).then_some(()))
    };
    wait::until("all of them to move", WITHIN, moved).await
}
