//! Posting webhooks: to each host over a few kept-alive connections, each with one webhook in flight. A webhook
//! that is not answered with a 2xx is tried again, more and more slowly, and given up at last.

mod exchange;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::dialect::{Letter, Signing};
use crate::ledger::ReplyEntry;
use crate::lock;
use crate::message::{Conduct, News, Post, Stage};
use crate::sim::Sim;
use crate::stats::one_more;

use exchange::Connection;

/// Webhooks that are due, by host.
#[derive(Default)]
pub(crate) struct Outbox {
    hosts: Mutex<HashMap<Box<str>, Arc<Host>>>,
    workers: Mutex<JoinSet<()>>,
}

struct Host {
    authority: Box<str>,
    queue: Mutex<Queue>,
    ready: Notify,
}

#[derive(Default)]
struct Queue {
    posts: VecDeque<Post>,
    workers: usize,
    idle: usize,
}

impl Outbox {
    /// Hands a webhook to a worker of its host.
    pub(crate) fn put(sim: &Arc<Sim>, post: Post) {
        let Some(target) = post.target() else {
            sim.done();
            return;
        };
        let host = sim.outbox.host(target.authority());
        let mut queue = lock(&host.queue);
        queue.posts.push_back(post);
        if queue.idle > 0 {
            queue.idle -= 1;
            // The one that was busy last: the others may as well stay cold.
            host.ready.notify_last();
        } else if queue.workers < sim.behaviour().webhooks_in_flight {
            queue.workers += 1;
            drop(queue);
            lock(&sim.outbox.workers).spawn(work(Arc::clone(sim), host));
        }
    }

    /// Ends all workers.
    pub(crate) fn stop(&self) {
        lock(&self.workers).abort_all();
    }

    fn host(&self, authority: &str) -> Arc<Host> {
        let mut hosts = lock(&self.hosts);
        if let Some(host) = hosts.get(authority) {
            return Arc::clone(host);
        }
        let host = Host { authority: authority.into(), queue: Mutex::default(), ready: Notify::new() };
        let host = Arc::new(host);
        hosts.insert(authority.into(), Arc::clone(&host));
        host
    }
}

impl Host {
    async fn next(&self) -> Post {
        loop {
            {
                let mut queue = lock(&self.queue);
                if let Some(post) = queue.posts.pop_front() {
                    return post;
                }
                queue.idle += 1;
            }
            self.ready.notified().await;
        }
    }
}

/// One connection's work.
async fn work(sim: Arc<Sim>, host: Arc<Host>) {
    let mut connection = Connection::new(&host.authority);
    let mut letter = Letter::default();
    loop {
        let post = host.next().await;
        let answer = deliver(&sim, &mut connection, &mut letter, &post).await;
        conclude(&sim, post, answer);
    }
}

/// Posts it once. `None` where there was no answer.
async fn deliver(sim: &Sim, connection: &mut Connection, letter: &mut Letter, post: &Post) -> Option<u16> {
    let target = post.target()?;
    let account = match &post.news {
        News::Receipt(receipt) => &receipt.message.account,
        News::Reply(reply) => &reply.account,
    };
    let now = sim.clock.second();
    letter.write(&post.news, &Signing { account, url: target.url(), now: &now, conduct: post.conduct });
    connection.write(target, crate::dialect::dialect(account.provider).webhook_type(), letter);
    count_try(sim, post);
    let limit = Duration::from_millis(sim.behaviour().webhook_timeout_ms);
    tokio::time::timeout(limit, connection.exchange()).await.ok()?.ok()
}

fn count_try(sim: &Sim, post: &Post) {
    one_more(match (&post.news, post.tries) {
        (News::Receipt(_), 0) => &sim.counters.receipts_sent,
        (News::Reply(_), 0) => &sim.counters.replies_sent,
        (News::Receipt(_) | News::Reply(_), _) => &sim.counters.webhook_retries,
    });
}

/// What follows from the answer.
fn conclude(sim: &Arc<Sim>, mut post: Post, answer: Option<u16>) {
    let acked = answer.is_some_and(|status| (200..300).contains(&status));
    if acked {
        count_ack(sim, &post.news);
    } else {
        post.tries += 1;
        let backoff_ms = match post.conduct {
            Conduct::Faithful if tries_again(&post, answer) => sim.behaviour().webhook_backoff_ms(post.tries),
            Conduct::Faithful | Conduct::Once | Conduct::Forged => None,
        };
        if let Some(backoff_ms) = backoff_ms {
            sim.post_again_after(backoff_ms.max(1), post);
            return;
        }
        if post.conduct == Conduct::Faithful {
            give_up(sim, &post.news);
        }
    }
    if let Some(watcher) = post.watcher {
        // Whoever asked may have gone.
        let _ = watcher.send(answer);
    }
    sim.done();
}

/// Whether its provider posts it again after that answer.
fn tries_again(post: &Post, answer: Option<u16>) -> bool {
    let provider = match &post.news {
        News::Receipt(receipt) => receipt.message.account.provider,
        News::Reply(reply) => reply.account.provider,
    };
    let dialect = crate::dialect::dialect(provider);
    post.target().is_some_and(|target| dialect.tries_again(answer, post.tries, target))
}

fn count_ack(sim: &Sim, news: &News) {
    match news {
        News::Receipt(_) => one_more(&sim.counters.receipts_acked),
        News::Reply(reply) => {
            one_more(&sim.counters.replies_acked);
            sim.heed(&reply.entry);
            sim.book.reply(&ReplyEntry { time_us: sim.clock.unix_us(), ..reply.entry.clone() });
        }
    }
}

fn give_up(sim: &Sim, news: &News) {
    match news {
        News::Receipt(receipt) => {
            one_more(&sim.counters.receipts_given_up);
            let last = receipt.stage == Stage::Final;
            if let Some(message_id) = receipt.message.entry.message_id.filter(|_| last) {
                sim.book.give_up(sim.clock.unix_us(), message_id);
            }
        }
        News::Reply(_) => one_more(&sim.counters.replies_given_up),
    }
}
