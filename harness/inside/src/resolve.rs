//! A resolver (RFC 1035) for a stack that cannot ask the world: it knows a few names, and says of any other at once that there is none.
//! And the one question that a client inside asks: a service's address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use simple_dns::rdata::{A, MX, RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, ResourceRecord, TYPE};

use crate::zone::{Records, Zone};

/// The port of DNS.
pub const PORT: u16 = 53;
/// The engine's resolver, in each container of a network that somebody made.
const OF_ENGINE: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 0, 0, 11), PORT);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// The longest message over UDP, with EDNS.
const LONGEST: usize = 4096;
/// How long, in seconds, an answer may be kept: a run is short, and its answers do not change.
const KEPT: u32 = 60;
/// A thread does nothing but answer a question.
const STACK: usize = 256 << 10;
/// The longest text in a record, in bytes; a longer one is cut into several.
const TEXT: usize = 255;

/// Answers questions about a zone. It does not end by itself.
///
/// # Errors
/// The socket is broken.
pub fn resolve(zone: &Zone, socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST];
    thread::scope(|scope| {
        loop {
            let (length, client) = match socket.recv_from(&mut buffer) {
                Ok(received) => received,
                // Somebody was not there any more for the answer before.
                Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted) => continue,
                Err(e) => return Err(e),
            };
            let message = buffer[..length].to_vec();
            let reply = move || {
                if let Some(answer) = answer(zone, &message, &|records| addresses(records, client)) {
                    // Whoever does not get it asks again.
                    let _ = socket.send_to(&answer, client);
                }
            };
            // A service's address may take a moment, and others do not wait for it. Who gets no thread asks again too.
            let _ = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, reply);
        }
    })
}

/// The addresses of a name that are not written down: a service's, and the one at which a client asked.
fn addresses(records: &Records, client: SocketAddr) -> Vec<Ipv4Addr> {
    // A service that is being restarted has none.
    let service = records.service.as_deref().and_then(|name| address_of(name).ok());
    let own = records.own.then(|| own_address(client).ok()).flatten();
    service.into_iter().chain(own).collect()
}

/// This machine's address on the way to a client.
fn own_address(client: SocketAddr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(client)?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(own) => Ok(own),
        IpAddr::V6(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The answer to a message; none to what is not a question. `addresses` gives those of a name that are not written down.
pub fn answer(zone: &Zone, message: &[u8], addresses: &dyn Fn(&Records) -> Vec<Ipv4Addr>) -> Option<Vec<u8>> {
    let question = Packet::parse(message).ok().filter(|p| !p.has_flags(PacketFlag::RESPONSE))?;
    let mut reply = Packet::new_reply(question.id());
    let asked = |flag| question.has_flags(flag);
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    if asked(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    *reply.opt_mut() = question.opt().map(|opt| simple_dns::rdata::OPT { opt_codes: vec![], ..opt.clone() });
    let first = question.questions.first()?.clone();
    let name = first.qname.to_string().to_ascii_lowercase();
    match zone.0.get(name.trim_end_matches('.')) {
        Some(records) => {
            // The run's own names are what the run says they are: a resolver that validates would say so (RFC 6840, 5.7 and 5.8).
            if asked(PacketFlag::AUTHENTIC_DATA) || asks_for_signatures(message) {
                reply.set_flags(PacketFlag::AUTHENTIC_DATA);
            }
            reply.answers = of(records, &first, addresses);
        }
        None => *reply.rcode_mut() = RCODE::NameError,
    }
    reply.questions.push(first);
    reply.build_bytes_vec_compressed().ok()
}

/// Whether the DO bit is set (RFC 3225): the highest of the last sixteen bits of the time to live of the record OPT, which has the root's
/// name and, without options, is the last of a question.
fn asks_for_signatures(message: &[u8]) -> bool {
    let opt = [0, 0, 41];
    message.windows(8).rev().find(|w| w.starts_with(&opt)).is_some_and(|w| w[7] & 0x80 != 0)
}

/// The records of a name that are asked for.
fn of<'a>(
    records: &'a Records,
    question: &Question<'a>,
    addresses: &dyn Fn(&Records) -> Vec<Ipv4Addr>,
) -> Vec<ResourceRecord<'a>> {
    let asked = |of: TYPE| question.qtype == QTYPE::ANY || question.qtype == QTYPE::TYPE(of);
    let mut all: Vec<RData<'a>> = Vec::new();
    if asked(TYPE::A) {
        let known = records.a.iter().copied().chain(addresses(records));
        all.extend(known.map(|address| RData::A(A { address: address.into() })));
    }
    if asked(TYPE::MX) {
        let hosts = (10u16..).step_by(10).zip(&records.mx);
        all.extend(hosts.filter_map(|(preference, host)| Some(RData::MX(MX { preference, exchange: Name::new(host).ok()? }))));
    }
    if asked(TYPE::TXT) {
        all.extend(records.txt.iter().filter_map(|text| text_of(text)).map(RData::TXT));
    }
    all.into_iter().map(|data| ResourceRecord::new(question.qname.clone(), CLASS::IN, KEPT, data)).collect()
}

/// A text, in pieces of at most 255 bytes; none if that would cut a character.
fn text_of(text: &str) -> Option<TXT<'_>> {
    let pieces = text.as_bytes().chunks(TEXT).map(std::str::from_utf8);
    pieces.into_iter().try_fold(TXT::new(), |all, piece| all.with_string(piece.ok()?).ok())
}

/// The address of a service, from the engine's resolver.
///
/// # Errors
/// It has none now, or there is no answer.
pub fn address_of(name: &str) -> io::Result<Ipv4Addr> {
    address_from(name, OF_ENGINE.into())
}

fn address_from(name: &str, server: SocketAddr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(ANSWER))?;
    // The socket is this question's own, and takes answers of that server only.
    let mut question = Packet::new_query(std::process::id() as u16);
    question.set_flags(PacketFlag::RECURSION_DESIRED);
    let asked = Name::new(name).map_err(io::Error::other)?;
    question.questions.push(Question::new(asked, QTYPE::TYPE(TYPE::A), QCLASS::CLASS(CLASS::IN), false));
    socket.send(&question.build_bytes_vec().map_err(io::Error::other)?)?;
    let mut buffer = vec![0; LONGEST];
    let length = socket.recv(&mut buffer)?;
    let answer = Packet::parse(&buffer[..length]).map_err(io::Error::other)?;
    let address = answer.answers.iter().find_map(|record| match &record.rdata {
        RData::A(a) => Some(Ipv4Addr::from(a.address)),
        _ => None,
    });
    address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} has no address")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn zone() -> Zone {
        let records = Records {
            a: vec![Ipv4Addr::new(192, 0, 2, 1)],
            mx: vec!["front.mail.test".into(), "second.mail.test".into()],
            txt: vec!["v=spf1 -all".into(), "k".repeat(400)],
            ..Records::default()
        };
        let own = Records { own: true, ..Records::default() };
        Zone([("mail.test".to_owned(), records), ("world.test".to_owned(), own)].into())
    }

    /// The answer where the resolver has an address of its own.
    fn said(message: &[u8]) -> Option<Vec<u8>> {
        let own = |records: &Records| if records.own { vec![Ipv4Addr::new(192, 0, 2, 9)] } else { vec![] };
        answer(&zone(), message, &own)
    }

    fn ask(name: &str, of: TYPE, flags: PacketFlag) -> Vec<u8> {
        let mut question = Packet::new_query(7);
        question.set_flags(flags | PacketFlag::RECURSION_DESIRED);
        question.questions.push(Question::new(
            Name::new(name).expect("a name").into_owned(),
            QTYPE::TYPE(of),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        question.build_bytes_vec().expect("built")
    }

    #[test]
    fn a_known_name_has_its_records_and_another_does_not_exist() {
        let say = |name: &str, of| {
            let bytes = said(&ask(name, of, PacketFlag::empty())).expect("an answer");
            let packet = Packet::parse(&bytes).expect("valid");
            assert_eq!(packet.id(), 7);
            assert!(packet.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_DESIRED));
            assert!(!packet.has_flags(PacketFlag::AUTHENTIC_DATA), "nobody asked for it");
            (packet.rcode(), packet.answers.len())
        };
        assert_eq!(say("Mail.Test", TYPE::A), (RCODE::NoError, 1));
        assert_eq!(say("mail.test", TYPE::MX), (RCODE::NoError, 2));
        assert_eq!(say("mail.test", TYPE::TXT), (RCODE::NoError, 2));
        assert_eq!(say("mail.test", TYPE::AAAA), (RCODE::NoError, 0));
        assert_eq!(say("world.test", TYPE::A), (RCODE::NoError, 1));
        assert_eq!(say("world.test", TYPE::MX), (RCODE::NoError, 0));
        assert_eq!(say("nowhere.test", TYPE::A), (RCODE::NameError, 0));
    }

    #[test]
    fn data_is_authentic_for_those_who_ask() {
        let authentic = |message: &[u8]| {
            let bytes = said(message).expect("an answer");
            Packet::parse(&bytes).expect("valid").has_flags(PacketFlag::AUTHENTIC_DATA)
        };
        assert!(authentic(&ask("mail.test", TYPE::A, PacketFlag::AUTHENTIC_DATA)));
        // The record OPT: the root's name, its type, 1232 bytes, no extension, version 0, DO, no options.
        let mut with_do = ask("mail.test", TYPE::A, PacketFlag::empty());
        with_do[11] = 1;
        with_do.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0]);
        assert!(authentic(&with_do));
        let at = with_do.len() - 4;
        with_do[at] = 0;
        assert!(!authentic(&with_do));
    }

    #[test]
    fn no_message_is_answered_that_is_no_question() {
        assert_eq!(said(b""), None);
        assert_eq!(said(&[0; 12]), None);
        assert_eq!(said(&Packet::new_reply(1).build_bytes_vec().expect("built")), None);
        assert_eq!(said(&[0xff; 64]), None);
    }

    #[test]
    fn a_client_asks_for_an_address() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let address = server.local_addr().expect("an address");
        std::thread::spawn(move || resolve(&zone(), &server));
        assert_eq!(address_from("mail.test", address).expect("an address"), Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(address_from("world.test", address).expect("its own"), Ipv4Addr::LOCALHOST);
        assert_eq!(address_from("nowhere.test", address).map_err(|e| e.kind()), Err(io::ErrorKind::NotFound));
    }
}
