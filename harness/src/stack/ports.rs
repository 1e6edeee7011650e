//! The host ports of a run's doors. Nothing reserves a port between its choice and the moment when the engine takes it, so that they
//! can be chosen again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// How many ports a slot has.
const RANGE: u16 = 2_000;

/// The ports of doors, by the doors' names.
pub struct Ports {
    slot: u8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ports: BTreeMap<String, u16>,
    /// Ports that turned out to be somebody else's.
    taken: BTreeSet<u16>,
}

impl Ports {
    /// Chooses a port of the slot for each door.
    ///
    /// # Errors
    /// Too few are free.
    pub fn choose<'a>(slot: u8, doors: impl Iterator<Item = &'a str>) -> Result<Self> {
        let doors: Vec<&str> = doors.collect();
        let free = free_ports(slot, doors.len(), &BTreeSet::new())?;
        let ports = doors.into_iter().map(str::to_owned).zip(free).collect();
        Ok(Self { slot, state: Mutex::new(State { ports, taken: BTreeSet::new() }) })
    }

    /// Chooses other ports in the place of those on which somebody listens now. Nothing of the run's own may be deployed. Gives
    /// whether any was.
    ///
    /// # Errors
    /// Too few are free.
    pub fn choose_taken_again(&self) -> Result<bool> {
        let taken: Vec<u16> = self.lock().ports.values().copied().filter(|port| !is_free(*port)).collect();
        let any = !taken.is_empty();
        self.replace(taken)?;
        Ok(any)
    }

    /// Chooses other ports for all doors.
    ///
    /// # Errors
    /// Too few are free.
    pub fn choose_all_again(&self) -> Result<()> {
        let all: Vec<u16> = self.lock().ports.values().copied().collect();
        self.replace(all)
    }

    fn replace(&self, taken: Vec<u16>) -> Result<()> {
        let mut state = self.lock();
        let count = taken.len();
        state.taken.extend(taken);
        let without: BTreeSet<u16> = state.taken.iter().chain(state.ports.values()).copied().collect();
        let mut free = free_ports(self.slot, count, &without)?.into_iter();
        let State { ports, taken } = &mut *state;
        ports.values_mut().filter(|port| taken.contains(port)).zip(&mut free).for_each(|(port, other)| *port = other);
        Ok(())
    }

    /// The port of a door.
    pub fn get(&self, door: &str) -> Option<u16> {
        self.lock().ports.get(door).copied()
    }

    /// Whether a door has one.
    pub fn contains_key(&self, door: &str) -> bool {
        self.get(door).is_some()
    }

    /// All of them, by door.
    pub fn all(&self) -> BTreeMap<String, u16> {
        self.lock().ports.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).is_ok()
}

/// `count` ports that nothing listens on, from the slot's range, which is below the one that systems hand out to outgoing
/// connections; none of `without`.
fn free_ports(slot: u8, count: usize, without: &BTreeSet<u16>) -> Result<Vec<u16>> {
    let first = 22_000 + u16::from(slot) * RANGE;
    // Start at another place each time: another state directory's drills take theirs from the same ones.
    let offset = (std::process::id() % 1900) as u16;
    let all = (0..RANGE).map(|n| first + (offset + n) % RANGE);
    let ports: Vec<u16> = all.filter(|port| !without.contains(port) && is_free(*port)).take(count).collect();
    if ports.len() < count {
        return Err(Error::Engine(format!("fewer than {count} free ports from {first} on")));
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_ports_do_not_overlap() {
        let free = |slot| free_ports(slot, 5, &BTreeSet::new()).expect("free");
        let (a, b) = (free(0), free(1));
        assert!(a.iter().all(|p| (22_000..24_000).contains(p)), "{a:?}");
        assert!(b.iter().all(|p| (24_000..26_000).contains(p)), "{b:?}");
        assert_eq!(
            free_ports(0, 2_001, &BTreeSet::new()).map_err(|e| e.to_string()).err().as_deref(),
            Some("fewer than 2001 free ports from 22000 on")
        );
    }

    /// Slot 5 is nobody's: only this test listens there.
    #[test]
    fn a_port_that_somebody_took_is_chosen_again_and_the_others_stay() {
        let ports = Ports::choose(5, ["http", "imaps"].into_iter()).expect("free");
        let before = ports.all();
        assert!(ports.contains_key("http") && !ports.contains_key("smtp"));
        assert!(!ports.choose_taken_again().expect("looked"));
        assert_eq!(ports.all(), before);
        let _other = TcpListener::bind((Ipv4Addr::UNSPECIFIED, before["http"])).expect("free");
        assert!(ports.choose_taken_again().expect("chosen"));
        let after = ports.all();
        assert_eq!(after["imaps"], before["imaps"]);
        assert!(!before.values().any(|port| *port == after["http"]), "{before:?} {after:?}");
        ports.choose_all_again().expect("chosen");
        let last = ports.all();
        assert_eq!(last.len(), 2);
        assert!(
            last.values().all(|port| !before.values().chain(after.values()).any(|p| p == port)),
            "{before:?} {after:?} {last:?}"
        );
    }
}
