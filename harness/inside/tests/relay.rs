//! The relay as clients meet it: what is said passes both ways, also after one side has said all.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use inside::relay::{Door, Target, relay};

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A connection, once the relay listens.
fn connect(port: u16) -> TcpStream {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(connection) => return connection,
            Err(e) if Instant::now() > end => panic!("the relay does not listen: {e}"),
            Err(_) => thread::yield_now(),
        }
    }
}

fn said(mut connection: &TcpStream) -> String {
    let mut said = String::new();
    connection.read_to_string(&mut said).expect("read");
    said
}

#[test]
fn what_is_said_passes_both_ways() {
    // A service that answers only when it was told everything.
    let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = service.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut connection in service.incoming().flatten() {
            let answer = format!("you said {}", said(&connection));
            connection.write_all(answer.as_bytes()).expect("written");
        }
    });
    let [hello, listen, to_nobody, nobody] = [free_port(), free_port(), free_port(), free_port()];
    let door = |listen, port: u16| Door { listen, to: Target { host: "127.0.0.1".into(), port } };
    thread::spawn(move || relay("run 1", hello, &[door(listen, port), door(to_nobody, nobody)]));

    assert_eq!(said(&connect(hello)), "run 1");
    let long = "x".repeat(1 << 20);
    let clients: Vec<_> = (0..20)
        .map(|n| {
            let (client, long) = (connect(listen), long.clone());
            thread::spawn(move || {
                (&client).write_all(format!("{n} {long}").as_bytes()).expect("written");
                client.shutdown(Shutdown::Write).expect("shut");
                assert_eq!(said(&client), format!("you said {n} {long}"));
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("a client"));
    assert_eq!(said(&connect(to_nobody)), "", "a service that is not there says nothing");
}

#[test]
fn doors_are_read_from_text() {
    let door: Door = "10001=app:993".parse().expect("a door");
    assert_eq!(door, Door { listen: 10_001, to: Target { host: "app".into(), port: 993 } });
    for wrong in ["", "10001", "10001=app", "10001=:993", "10001=app:x", "x=app:993", "10001=app:70000"] {
        assert!(wrong.parse::<Door>().is_err(), "{wrong}");
    }
}
