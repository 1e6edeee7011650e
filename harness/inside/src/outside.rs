//! The mail server outside (RFC 5321): takes the mail that an app sends to the world, and gives it out again.
//!
//! What it took is in memory, and whoever connects to its second port gets all of it. That port is on the loopback device: only a command
//! in the container reaches it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::zone::TAKEN;

/// The port of SMTP.
pub const PORT: u16 = 25;
/// The longest line, the end of line included: far more than a client may send (RFC 5321, 4.5.3.1).
const LINE: u64 = 64 << 10;
/// The most that it takes, in bytes.
const MOST: usize = 64 << 20;
/// How long a client may say nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// The mail that it took, one message after another.
type Taken = Arc<Mutex<Vec<u8>>>;

/// Takes mail, and gives it out. Recipients in `busy` are asked to come back later. It does not end by itself.
///
/// # Errors
/// A socket is broken.
pub fn serve(mail: &TcpListener, taken: TcpListener, busy: &[String]) -> io::Result<()> {
    let all = Taken::default();
    let given = all.clone();
    thread::spawn(move || {
        for mut client in taken.incoming().flatten() {
            // Who does not wait for it does not need it.
            let _ = client.write_all(&lock(&given));
        }
    });
    for client in mail.incoming().flatten() {
        let (all, busy) = (all.clone(), busy.to_vec());
        // A client whose connection ends tries again.
        let _ = thread::Builder::new().spawn(move || session(&client, &busy, &all));
    }
    Ok(())
}

/// Listens at both ports, and serves.
///
/// # Errors
/// A port is taken.
pub fn listen(busy: &[String]) -> io::Result<()> {
    let mail = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    serve(&mail, TcpListener::bind((Ipv4Addr::LOCALHOST, TAKEN))?, busy)
}

fn lock(all: &Taken) -> std::sync::MutexGuard<'_, Vec<u8>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client's connection, up to its end.
fn session(client: &TcpStream, busy: &[String], all: &Taken) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let say = |line: &str| (&*client).write_all(format!("{line}\r\n").as_bytes());
    let mut lines = BufReader::new(client);
    let mut recipients = 0;
    say("220 outside.invalid ESMTP")?;
    loop {
        let line = line(&mut lines)?;
        let command = String::from_utf8_lossy(&line).trim_end().to_ascii_lowercase();
        let is = |verb: &str| command.split([' ', ':']).next() == Some(verb);
        if is("ehlo") {
            say("250-outside.invalid\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8")?;
        } else if is("rcpt") && busy.iter().any(|address| command.contains(&format!("<{address}>"))) {
            say("450 4.2.1 the mailbox is busy: come back later")?;
        } else if is("rcpt") {
            recipients += 1;
            say("250 2.1.5 known")?;
        } else if is("data") && recipients == 0 {
            say("503 5.5.1 for whom?")?;
        } else if is("data") {
            say("354 go on")?;
            let message = message(&mut lines)?;
            recipients = 0;
            let took = keep(all, &message);
            say(if took { "250 2.0.0 taken" } else { "452 4.3.1 no room" })?;
        } else if is("mail") || is("rset") || is("helo") || is("noop") {
            recipients = 0;
            say("250 2.0.0 well")?;
        } else if is("quit") {
            return say("221 2.0.0 goodbye");
        } else {
            say("502 5.5.1 unknown here")?;
        }
    }
}

/// Keeps a message, if there is room.
fn keep(all: &Taken, message: &[u8]) -> bool {
    let mut all = lock(all);
    let room = all.len() + message.len() <= MOST;
    if room {
        all.extend_from_slice(message);
        all.extend_from_slice(b"\r\n");
    }
    room
}

/// A line with its end. The end of the connection is an error: a client says goodbye.
fn line(from: &mut BufReader<&TcpStream>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(LINE).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => Ok(line),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A message up to the line with a dot alone; other dots at the start of a line are doubled (RFC 5321, 4.5.2).
fn message(from: &mut BufReader<&TcpStream>) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let line = line(from)?;
        if line == b".\r\n" {
            return Ok(message);
        }
        if message.len() > MOST {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
