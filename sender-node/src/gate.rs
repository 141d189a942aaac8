//! The gate of each provider account: how many calls it may have open, and what waits before it. One slow provider
//! fills its own gate and nobody else's.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use muster_domain::provider::Provider;
use muster_proto::internal::v1::AccountLoad;
use muster_runtime::clock;
use muster_runtime::frame::id_bytes;
use muster_runtime::topology::SHARDS;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::limit::{Limit, Went};
use crate::share::Shared;

/// How long the gate of an account that is not used is kept.
const KEPT: Duration = Duration::from_secs(600);
/// How long it is told of: a circuit that is closed because nobody calls says nothing of the provider, and the dispatcher
/// would hold it against the nodes that do call.
const TOLD: Duration = Duration::from_secs(5);

/// How many times a gate lets in new calls while as many as it takes go through.
const ROOM_PART: usize = 4;
/// How long room for several calls is waited for.
const GATHER: Duration = Duration::from_millis(25);

/// The gates of all accounts that this node has messages for.
pub(crate) struct Gates {
    shared: Arc<Shared>,
    gates: Mutex<HashMap<Uuid, Arc<Gate>>>,
}

impl Gates {
    /// Gates that never let more than `calls_max` calls be open, of all accounts together.
    pub(crate) fn new(calls_max: usize) -> Self {
        Self { shared: Arc::new(Shared::new(calls_max)), gates: Mutex::default() }
    }

    /// The node's room, which all accounts share.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The gate of an account.
    pub(crate) fn of(&self, account: Uuid) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry(account).or_insert_with(|| Arc::new(Gate::new(self.shared.clone()))).clone();
        self.shared.between(gates.len());
        gate
    }

    /// What the node has for each account that it has anything for, for the others to know. Forgets those that are not
    /// used any more.
    pub(crate) fn loads(&self) -> Vec<AccountLoad> {
        let now = clock::instant();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| Arc::strong_count(gate) > 1 || gate.used_within(KEPT, now));
        self.shared.between(gates.len());
        let told = gates.iter().filter(|(_, gate)| gate.is_told_of(now));
        told.map(|(account, gate)| gate.load(*account)).collect()
    }

    /// What the node has for each provider, as far as it has called there.
    pub(crate) fn by_provider(&self) -> BTreeMap<Provider, Load> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let mut loads: BTreeMap<Provider, Load> = BTreeMap::new();
        for (account, gate) in gates.iter() {
            let Some(provider) = gate.provider.get() else { continue };
            let AccountLoad { waiting, calls_max, circuit_open, .. } = gate.load(*account);
            let load = loads.entry(*provider).or_default();
            load.waiting += u64::from(waiting);
            load.calls_max += u64::from(calls_max);
            load.circuits_open += u64::from(circuit_open);
        }
        loads
    }
}

/// What a node has for the accounts of a provider, taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Texts that wait.
    pub(crate) waiting: u64,
    /// How many calls may be open.
    pub(crate) calls_max: u64,
    /// Accounts that are not called.
    pub(crate) circuits_open: u64,
}

/// The gate of one account.
pub(crate) struct Gate {
    shared: Arc<Shared>,
    /// Whose account it is, once it was called.
    provider: OnceLock<Provider>,
    room: Arc<Semaphore>,
    /// Told when the circuit opens.
    opened: Notify,
    waiting: AtomicU32,
    /// Of each shard, the frames of which something waits.
    frames: [AtomicU32; SHARDS as usize],
    state: Mutex<State>,
}

struct State {
    limit: Limit,
    /// Permits in the semaphore and out with calls.
    permits: usize,
    /// Permits out with calls that are too many by now, and end with their calls.
    surplus: usize,
    used: Instant,
}

/// Room for calls of one account.
pub(crate) struct Room<'a> {
    gate: &'a Gate,
    calls: usize,
    /// `None`: the circuit was open, and no call will be made.
    permits: Option<OwnedSemaphorePermit>,
}

/// Messages of a frame that wait before a gate.
pub(crate) struct Waiting<'a> {
    gate: &'a Gate,
    frames: Option<&'a AtomicU32>,
    messages: u32,
}

impl Gate {
    fn new(shared: Arc<Shared>) -> Self {
        let limit = Limit::new(shared.calls_max());
        let permits = limit.calls();
        let state = State { limit, permits, surplus: 0, used: clock::instant() };
        Self {
            shared,
            provider: OnceLock::new(),
            room: Arc::new(Semaphore::new(permits)),
            opened: Notify::new(),
            waiting: AtomicU32::new(0),
            frames: [const { AtomicU32::new(0) }; SHARDS as usize],
            state: Mutex::new(state),
        }
    }

    /// So many messages of a frame of `shard` wait from now on.
    pub(crate) fn waiting(&self, shard: u16, messages: usize) -> Waiting<'_> {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.waiting.fetch_add(messages, Ordering::Relaxed);
        let frames = self.frames.get(usize::from(shard));
        if let Some(frames) = frames {
            frames.fetch_add(1, Ordering::Relaxed);
        }
        Waiting { gate: self, frames, messages }
    }

    /// Room for some calls, up to `calls`: for a good part of what the gate takes at once, or after a moment for what there
    /// is. Calls are claimed by their room, and where each call that ends made room for one claim, every message would be
    /// claimed alone. While no call is to be made, there is room for all: none of them will be one.
    pub(crate) async fn room(&self, calls: usize) -> Option<Room<'_>> {
        let opened = self.opened.notified();
        let closed = |calls| Some(Room { gate: self, calls, permits: None });
        let part = {
            let mut state = self.state();
            if state.limit.open_for(clock::instant()).is_some() {
                return closed(calls);
            }
            self.follow(&mut state);
            (state.permits - state.surplus).div_ceil(ROOM_PART).min(calls)
        };
        let mut permits = tokio::select! {
            permits = self.permits(part) => permits?,
            () = opened => return closed(calls),
        };
        let more = calls.saturating_sub(permits.num_permits()).min(self.room.available_permits());
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if let Ok(more) = self.room.clone().try_acquire_many_owned(more) {
            permits.merge(more);
        }
        Some(Room { gate: self, calls: permits.num_permits(), permits: Some(permits) })
    }

    /// As many permits, or after a moment at least one: the limit may have fallen meanwhile.
    async fn permits(&self, wanted: usize) -> Option<OwnedSemaphorePermit> {
        let many = self.room.clone().acquire_many_owned(u32::try_from(wanted).unwrap_or(u32::MAX));
        match tokio::time::timeout(GATHER, many).await {
            Ok(permits) => permits.ok(),
            Err(_elapsed) => self.room.clone().acquire_owned().await.ok(),
        }
    }

    /// How long no call is to be made yet. `None`: calls may be made.
    pub(crate) fn open_for(&self) -> Option<Duration> {
        self.state().limit.open_for(clock::instant())
    }

    /// An account of this provider is called through it.
    pub(crate) fn is_of(&self, provider: Provider) {
        // An account stays with its provider.
        let _ = self.provider.set(provider);
    }

    /// Takes in how a call went.
    pub(crate) fn done(&self, went: Went, took: Duration) {
        let mut state = self.state();
        let now = clock::instant();
        let open = self.open(&state);
        state.limit.went(went, took, open, now);
        state.used = now;
        self.follow(&mut state);
        if state.limit.open_for(now).is_some() {
            self.opened.notify_waiters();
        }
    }

    /// Permits that are out with calls.
    fn open(&self, state: &State) -> usize {
        state.permits.saturating_sub(self.room.available_permits())
    }

    /// Makes the permits as many as the limit says and the other accounts leave.
    fn follow(&self, state: &mut State) {
        let wanted = state.limit.calls().min(self.shared.of(self.open(state)));
        let have = state.permits - state.surplus;
        if wanted > have {
            let revived = state.surplus.min(wanted - have);
            let added = wanted - have - revived;
            self.room.add_permits(added);
            state.surplus -= revived;
            state.permits += added;
        } else {
            state.surplus += have - wanted;
        }
        // Those that no call holds end at once.
        let ended = self.room.forget_permits(state.surplus);
        state.permits -= ended;
        state.surplus -= ended;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used_within(&self, time: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.state().used) < time
    }

    fn is_told_of(&self, now: Instant) -> bool {
        self.used_within(TOLD, now)
            || self.waiting.load(Ordering::Relaxed) > 0
            || self.state().limit.is_open()
    }

    fn load(&self, account: Uuid) -> AccountLoad {
        let state = self.state();
        AccountLoad {
            account_id: id_bytes(account),
            waiting: self.waiting.load(Ordering::Relaxed),
            calls_max: u32::try_from(state.limit.calls()).unwrap_or(u32::MAX),
            circuit_open: state.limit.is_open(),
            shard_frames: self.frames.iter().map(|frames| frames.load(Ordering::Relaxed)).max().unwrap_or(0),
        }
    }
}

impl Room<'_> {
    /// How many calls there is room for.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// Whether no call is to be made: the circuit was open when it was asked for.
    pub(crate) fn is_closed(&self) -> bool {
        self.permits.is_none()
    }

    /// Room for one call, which is taken from this. `None`: there is none left.
    pub(crate) fn split(&mut self) -> Option<Self> {
        self.calls = self.calls.checked_sub(1)?;
        let permits = self.permits.as_mut().and_then(|permits| permits.split(1));
        Some(Room { gate: self.gate, calls: 1, permits })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let Some(permits) = &mut self.permits else { return };
        let mut state = self.gate.state();
        let ended = state.surplus.min(permits.num_permits());
        if let Some(permits) = permits.split(ended) {
            permits.forget();
            state.permits -= ended;
            state.surplus -= ended;
        }
    }
}

impl Waiting<'_> {
    /// So many of them wait no more.
    pub(crate) fn less(&mut self, messages: usize) {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX).min(self.messages);
        self.messages -= messages;
        self.gate.waiting.fetch_sub(messages, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.waiting.fetch_sub(self.messages, Ordering::Relaxed);
        if let Some(frames) = self.frames {
            frames.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
