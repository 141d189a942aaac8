//! Looks at every state that a model can reach, breadth first, so that the way to a broken promise is the shortest.
//!
//! States are kept whole and compared whole: nothing is left to the luck of a hash.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

/// What is checked.
pub(crate) trait Model {
    /// All that the future depends on.
    type State: Eq + Hash;
    /// One thing that happens.
    type Step: Copy + fmt::Debug;

    /// Where everything begins.
    fn begin(&self) -> Self::State;
    /// Every step that may be taken in `state`, and where it leads.
    fn steps(&self, state: &Self::State) -> Vec<(Self::Step, Self::State)>;
    /// Whether a step is a fault: one that nobody may count on.
    fn is_fault(&self, step: Self::Step) -> bool;
    /// The promise that `state` breaks.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;
    /// Whether `state` is an end that we promise: nothing is left to be done.
    fn is_settled(&self, state: &Self::State) -> bool;
}

/// A promise that does not hold, and how it comes to be broken.
pub(crate) struct Counterexample<Step> {
    /// The promise.
    pub(crate) promise: &'static str,
    /// The shortest way there.
    pub(crate) way: Vec<Step>,
}

impl<Step: fmt::Debug> fmt::Debug for Counterexample<Step> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "broken: {}", self.promise)?;
        self.way.iter().zip(1..).try_for_each(|(step, number)| writeln!(f, "{number:4}. {step:?}"))
    }
}

/// The promise that [`check`] itself looks after.
pub(crate) const ENDS: &str = "once faults stop, everything ends";

/// Checks every state that can be reached, and returns how many there are.
///
/// [`ENDS`] means: from each of them there is a way without any further fault to a settled state. As there are
/// finitely many, a system whose steps are not put off for ever gets there.
pub(crate) fn check<M: Model>(model: &M) -> Result<usize, Counterexample<M::Step>> {
    let mut found = Found { numbers: HashMap::new(), states: Vec::new(), from: Vec::new() };
    found.add(model.begin(), None);
    let mut leading_to: Vec<Vec<usize>> = vec![Vec::new()];
    let mut next = 0;
    while let Some(state) = found.states.get(next).cloned() {
        if let Some(promise) = model.broken(&state) {
            return Err(Counterexample { promise, way: found.way(next) });
        }
        for (step, after) in model.steps(&state) {
            let number = found.add(after, Some((next, step)));
            leading_to.resize_with(found.states.len(), Vec::new);
            if !model.is_fault(step) {
                leading_to[number].push(next);
            }
        }
        next += 1;
    }
    match first_without_end(model, &found.states, &leading_to) {
        Some(stuck) => Err(Counterexample { promise: ENDS, way: found.way(stuck) }),
        None => Ok(found.states.len()),
    }
}

/// Goes back from the settled states over all steps that are no faults; gives the first state that is not met.
fn first_without_end<M: Model>(
    model: &M,
    states: &[Rc<M::State>],
    leading_to: &[Vec<usize>],
) -> Option<usize> {
    let mut ends: Vec<bool> = states.iter().map(|state| model.is_settled(state)).collect();
    let mut open: VecDeque<usize> = (0..states.len()).filter(|number| ends[*number]).collect();
    while let Some(number) = open.pop_front() {
        for before in &leading_to[number] {
            if !std::mem::replace(&mut ends[*before], true) {
                open.push_back(*before);
            }
        }
    }
    ends.iter().position(|ends| !ends)
}

/// The states found so far, each with the step that led to it first.
struct Found<State, Step> {
    numbers: HashMap<Rc<State>, usize>,
    states: Vec<Rc<State>>,
    from: Vec<Option<(usize, Step)>>,
}

impl<State: Eq + Hash, Step: Copy> Found<State, Step> {
    fn add(&mut self, state: State, from: Option<(usize, Step)>) -> usize {
        let state = Rc::new(state);
        let number = *self.numbers.entry(state.clone()).or_insert(self.states.len());
        if number == self.states.len() {
            self.states.push(state);
            self.from.push(from);
        }
        number
    }

    fn way(&self, to: usize) -> Vec<Step> {
        let back = std::iter::successors(self.from[to], |(before, _)| self.from[*before]);
        let mut way: Vec<Step> = back.map(|(_, step)| step).collect();
        way.reverse();
        way
    }
}
