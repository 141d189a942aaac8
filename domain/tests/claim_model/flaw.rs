//! Ways to get the protocol wrong. Each is found by the checker, or the checker would find nothing.

/// One mistake, or one assumption that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A claim is granted again where nobody knows what became of the first call.
    GrantsAfterAmbiguous,
    /// What the provider does not find is sent again.
    ResendsWhatIsNotFound,
    /// An answer of 500 and more is taken for "not accepted".
    RetriesServerErrors,
    /// The HTTP client repeats a request by itself.
    RepeatsRequests,
    /// The order is acked when it is claimed, and the claim is forgotten with it.
    AcksBeforeReporting,
    /// An outcome counts only while the node that reports it still owns the claim.
    FencesOutcomes,
    /// The reaper gives a claim that ran past its deadline back to the queue.
    ReaperReturns,
    /// Claims are kept where the orders are, and are rolled back with them.
    ClaimsInQueue,
    /// Nobody makes orders again that the queue has lost.
    NobodySweeps,
    /// Nobody looks at claims that ran past their deadline.
    NobodyReaps,
    /// The reaper does not wait for calls that may still be open.
    ReapsDuringCalls,
    /// A node does not look at the clock before it calls.
    CallsAtAnyTime,
}
