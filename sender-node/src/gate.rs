//! The gate of each provider account: how many calls it may have open, and what waits before it. One slow provider
//! fills its own gate and nobody else's.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use muster_domain::provider::Provider;
use muster_proto::internal::v1::AccountLoad;
use muster_runtime::clock;
use muster_runtime::frame::id_bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::limit::{Limit, Went};

/// How long the gate of an account that is not used is kept.
const KEPT: Duration = Duration::from_secs(600);

/// How many times a gate lets in new calls while as many as it takes go through.
const ROOM_PART: usize = 4;
/// How long room for several calls is waited for.
const GATHER: Duration = Duration::from_millis(25);

/// The gates of all accounts that this node has messages for.
pub(crate) struct Gates {
    calls_max: usize,
    gates: Mutex<HashMap<Uuid, Arc<Gate>>>,
}

impl Gates {
    /// Gates that never let more than `calls_max` calls of an account be open.
    pub(crate) fn new(calls_max: usize) -> Self {
        Self { calls_max, gates: Mutex::default() }
    }

    /// The gate of an account.
    pub(crate) fn of(&self, account: Uuid) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(account).or_insert_with(|| Arc::new(Gate::new(self.calls_max))).clone()
    }

    /// What the node has for each account, for the others to know. Forgets those that are not used any more.
    pub(crate) fn loads(&self) -> Vec<AccountLoad> {
        let now = clock::instant();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| Arc::strong_count(gate) > 1 || gate.used_within(KEPT, now));
        gates.iter().map(|(account, gate)| gate.load(*account)).collect()
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
    /// Whose account it is, once it was called.
    provider: OnceLock<Provider>,
    room: Arc<Semaphore>,
    /// Told when the circuit opens.
    opened: Notify,
    waiting: AtomicU32,
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

/// Messages that wait before a gate.
pub(crate) struct Waiting<'a> {
    gate: &'a Gate,
    messages: u32,
}

impl Gate {
    fn new(calls_max: usize) -> Self {
        let limit = Limit::new(calls_max);
        let permits = limit.calls();
        let state = State { limit, permits, surplus: 0, used: clock::instant() };
        Self {
            provider: OnceLock::new(),
            room: Arc::new(Semaphore::new(permits)),
            opened: Notify::new(),
            waiting: AtomicU32::new(0),
            state: Mutex::new(state),
        }
    }

    /// So many messages wait from now on.
    pub(crate) fn waiting(&self, messages: usize) -> Waiting<'_> {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.waiting.fetch_add(messages, Ordering::Relaxed);
        Waiting { gate: self, messages }
    }

    /// Room for some calls, up to `calls`: for a good part of what the gate takes at once, or after a moment for what there
    /// is. Calls are claimed by their room, and where each call that ends made room for one claim, every message would be
    /// claimed alone. While no call is to be made, there is room for all: none of them will be one.
    pub(crate) async fn room(&self, calls: usize) -> Option<Room<'_>> {
        let opened = self.opened.notified();
        let closed = |calls| Some(Room { gate: self, calls, permits: None });
        let part = {
            let state = self.state();
            if state.limit.open_for(clock::instant()).is_some() {
                return closed(calls);
            }
            state.limit.calls().div_ceil(ROOM_PART).min(calls)
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
        let open = state.permits.saturating_sub(self.room.available_permits());
        state.limit.went(went, took, open, now);
        state.used = now;
        self.follow(&mut state);
        if state.limit.open_for(now).is_some() {
            self.opened.notify_waiters();
        }
    }

    /// Makes the permits as many as the limit says.
    fn follow(&self, state: &mut State) {
        let wanted = state.limit.calls();
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

    fn load(&self, account: Uuid) -> AccountLoad {
        let state = self.state();
        AccountLoad {
            account_id: id_bytes(account),
            waiting: self.waiting.load(Ordering::Relaxed),
            calls_max: u32::try_from(state.limit.calls()).unwrap_or(u32::MAX),
            circuit_open: state.limit.is_open(),
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn permits_follow_the_limit_while_calls_are_open() {
        let gate = Gate::new(64);
        let mut room = gate.room(32).await.expect("room");
        assert_eq!((room.calls(), gate.room.available_permits()), (32, 0));
        // Lost: half of the calls are too many by now, and their room ends with them.
        gate.done(Went::Lost, Duration::from_millis(10));
        drop(room.split());
        assert_eq!((gate.room.available_permits(), gate.state().surplus), (0, 15));
        for _ in 0..15 {
            gate.done(Went::Lost, Duration::from_secs(100));
            drop(room.split());
        }
        drop(room);
        let state = gate.state();
        assert_eq!(state.surplus, 0);
        assert_eq!((state.permits, gate.room.available_permits()), (state.limit.calls(), state.permits));
    }

    #[tokio::test]
    async fn as_much_room_is_given_as_there_is() {
        let gate = Gate::new(3);
        let first = gate.room(2).await.expect("room");
        let second = gate.room(9).await.expect("room");
        assert_eq!((first.calls(), second.calls()), (2, 1));
        drop(first);
        assert_eq!(gate.room(9).await.expect("room").calls(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn room_for_several_calls_is_gathered_and_not_waited_for_too_long() {
        let gate = Gate::new(16);
        let mut held = gate.room(16).await.expect("room");
        let end_four = async {
            for _ in 0..4 {
                tokio::time::sleep(GATHER / 8).await;
                drop(held.split());
            }
        };
        let (room, ()) = tokio::join!(gate.room(16), end_four);
        let room = room.expect("room");
        assert_eq!(room.calls(), 4, "a quarter of the limit");
        let end_one = async {
            tokio::time::sleep(GATHER / 8).await;
            drop(held.split());
        };
        let (last, ()) = tokio::join!(gate.room(16), end_one);
        assert_eq!(last.expect("room").calls(), 1, "what there is after a moment");
    }

    #[tokio::test]
    async fn whoever_waits_is_let_through_when_the_circuit_opens() {
        let gate = Gate::new(1);
        let _held = gate.room(1).await.expect("room");
        let opens = async {
            while gate.open_for().is_none() {
                gate.done(Went::Lost, Duration::from_millis(1));
            }
        };
        let (room, ()) = tokio::join!(gate.room(9), opens);
        let room = room.expect("let through");
        assert!((room.calls(), room.is_closed()) == (9, true), "what it lets through is not to be called");
        let later = gate.room(7).await.expect("let through");
        assert_eq!((later.calls(), later.is_closed()), (7, true));
    }

    #[test]
    fn what_waits_is_told() {
        let gates = Gates::new(8);
        let gate = gates.of(Uuid::nil());
        let mut waiting = gate.waiting(5);
        waiting.less(2);
        assert_eq!(gates.loads().first().map(|load| load.waiting), Some(3));
        drop(waiting);
        assert_eq!(gates.loads().first().map(|load| load.waiting), Some(0));
    }
}
