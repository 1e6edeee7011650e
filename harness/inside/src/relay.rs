//! The way into a stack whose networks are closed: listens, and passes each connection on to a service of the stack.
//!
//! A service gets another address whenever it is restarted, so its name is looked up for each connection.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::resolve;

/// How long a service may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Connections of one door that are passed on at a time. Others wait.
const AT_ONCE: usize = 256;
/// How long to wait before the next connection where one could not be taken.
const PAUSE: Duration = Duration::from_millis(50);
/// A connection's threads do nothing but copy.
const STACK: usize = 64 << 10;

/// A service's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The service's name, as its network knows it.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Where the relay listens for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The relay's own port.
    pub listen: u16,
    /// Where its connections go.
    pub to: Target,
}

impl FromStr for Target {
    type Err = String;

    /// From `app:993`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).ok_or("expected service:port")?;
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|e: ParseIntError| e.to_string())? })
    }
}

impl FromStr for Door {
    type Err = String;

    /// From `10001=app:993`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (listen, to) = text.split_once('=').ok_or("expected port=service:port")?;
        Ok(Self { listen: listen.parse().map_err(|e: ParseIntError| e.to_string())?, to: to.parse()? })
    }
}

impl Target {
    /// Connects to the service where it is now.
    ///
    /// # Errors
    /// Its name has no address, or it does not accept.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let address = match self.host.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => resolve::address_of(&self.host)?.into(),
        };
        let connection = TcpStream::connect_timeout(&SocketAddr::new(address, self.port), CONNECT)?;
        connection.set_nodelay(true)?;
        Ok(connection)
    }
}

/// Who may be passed on at once.
struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

/// One of them, given back when dropped.
struct Permit(Arc<Permits>);

impl Permits {
    fn new() -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(AT_ONCE), freed: Condvar::new() })
    }

    fn take(self: &Arc<Self>) -> Permit {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit(self.clone())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

/// Listens for each door, and at `hello`, where it says `name` to whoever connects, so that a client knows whom it reached. It does not
/// end by itself.
///
/// # Errors
/// A port is taken.
pub fn relay(name: &str, hello: u16, doors: &[Door]) -> io::Result<()> {
    let listen = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    let listeners = doors.iter().map(|door| Ok((listen(door.listen)?, door.to.clone()))).collect::<io::Result<Vec<_>>>()?;
    for (listener, to) in listeners {
        thread::spawn(move || serve(&listener, &to));
    }
    for connection in listen(hello)?.incoming().flatten() {
        if !lets_in(&connection) {
            continue;
        }
        // Who does not wait for it does not need it.
        let _ = (&connection).write_all(name.as_bytes());
    }
    Ok(())
}

/// The networks that this machine has an address on, as the kernel lists its routes: those without a gateway, each with its mask.
fn networks(routes: &str) -> Vec<(u32, u32)> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok().map(u32::from_be);
        let (network, gateway, mask) = (number(1)?, number(2)?, number(7)?);
        (gateway == 0 && mask != 0).then_some((network, mask))
    };
    routes.lines().skip(1).filter_map(route).collect()
}

/// Whether a client is on this machine or on one of its networks, as the engine's host is. Before version 28, Docker lets the host's
/// neighbours through to a port that is published on the host's loopback device, and they come with their own addresses.
fn is_near(client: Ipv4Addr, networks: &[(u32, u32)]) -> bool {
    client.is_loopback() || networks.iter().any(|(network, mask)| u32::from(client) & mask == *network)
}

/// Whether a client may be let in. A network that was joined since then counts.
fn lets_in(client: &TcpStream) -> bool {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    client.peer_addr().is_ok_and(|peer| matches!(peer.ip(), IpAddr::V4(peer) if is_near(peer, &networks(&routes))))
}

/// Passes on what comes to one listener, for ever.
fn serve(listener: &TcpListener, to: &Target) {
    let permits = Permits::new();
    for client in listener.incoming() {
        if client.as_ref().is_ok_and(|client| !lets_in(client)) {
            continue;
        }
        let Ok(client) = client else {
            // Too many files are open, until a connection ends.
            thread::sleep(PAUSE);
            continue;
        };
        let (permit, to) = (permits.take(), to.clone());
        let passing = move || {
            let _permit = permit;
            // A client whose connection closes at once finds the service as it is: not there.
            if let Ok(service) = to.connect() {
                pass(&client, &service);
            }
        };
        // Without a thread for it, the connection closes too.
        let _ = thread::Builder::new().stack_size(STACK).spawn(passing);
    }
}

/// Passes on what each of two says to the other, until both have ended.
fn pass(client: &TcpStream, service: &TcpStream) {
    thread::scope(|scope| {
        let back = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || copy(service, client));
        if back.is_ok() {
            copy(client, service);
        }
    });
}

/// Copies up to the end, which it passes on too. A connection that breaks ends both ways.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let (end, both) = (Shutdown::Write, Shutdown::Both);
    match io::copy(&mut from, &mut to) {
        Ok(_) => drop(to.shutdown(end)),
        Err(_) => drop((from.shutdown(both), to.shutdown(both))),
    }
}

/// Passes standard input on to a service, and what it says to standard output: one connection through an engine's exec.
///
/// # Errors
/// The service is not there.
pub fn connect(to: &Target) -> io::Result<()> {
    let service = to.connect()?;
    let mut input = service.try_clone()?;
    // It ends with the process: nobody can end a read of standard input.
    thread::spawn(move || {
        let ended = io::copy(&mut io::stdin().lock(), &mut input).and_then(|_| input.shutdown(Shutdown::Write));
        drop(ended);
    });
    let (mut service, mut out) = (&service, io::stdout().lock());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = service.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        out.write_all(&buffer[..n])?;
        // A client waits for each answer.
        out.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_on_a_network_of_the_relays_is_let_in() {
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                      eth0 00000000 010213AC 0003 0 0 0 00000000 0 0 0\n\
                      eth0 000213AC 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
                      eth1 0000D50A 00000000 0001 0 0 0 00F0FFFF 0 0 0\n\
                      torn\n";
        let networks = networks(routes);
        assert_eq!(networks.len(), 2, "{networks:?}");
        let near = |client: &str| is_near(client.parse().expect("an address"), &networks);
        for client in ["127.0.0.1", "172.19.2.1", "172.19.2.77", "10.213.0.9", "10.213.15.255"] {
            assert!(near(client), "{client}");
        }
        for client in ["192.168.1.7", "172.19.3.1", "10.213.16.1", "8.8.8.8"] {
            assert!(!near(client), "{client}");
        }
    }
}
