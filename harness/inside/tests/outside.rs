//! The mail server outside as its clients meet it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use inside::outside::serve;

/// A server that puts off mail for `busy@away.example`: where it takes mail, and where it gives it out.
fn server() -> (SocketAddr, SocketAddr) {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let (mail, taken) = (listen(), listen());
    let at = |listener: &TcpListener| listener.local_addr().expect("an address");
    let both = (at(&mail), at(&taken));
    thread::spawn(move || serve(&mail, taken, &["busy@away.example".to_owned()]));
    both
}

/// What a server answers to each command of a client: the code of the last line.
fn talk(server: SocketAddr, commands: &[&str]) -> Vec<String> {
    let client = TcpStream::connect(server).expect("connected");
    let mut lines = BufReader::new(&client).lines();
    let mut answer = || {
        let line = lines.by_ref().map(|l| l.expect("a line")).find(|line| line.as_bytes().get(3) != Some(&b'-'));
        line.expect("an answer")[..3].to_owned()
    };
    let mut said = vec![answer()];
    for command in commands {
        (&client).write_all(format!("{command}\r\n").as_bytes()).expect("written");
        said.push(answer());
    }
    said
}

fn taken(from: SocketAddr) -> String {
    let mut text = String::new();
    TcpStream::connect(from).expect("connected").read_to_string(&mut text).expect("read");
    text
}

#[test]
fn mail_is_taken_and_given_out_and_some_is_put_off() {
    let (mail, out) = server();
    let message = "X-Trial: 1\r\n\r\n..a dot\r\n.";
    let said = talk(
        mail,
        &["EHLO a.example", "MAIL FROM:<a@a.example>", "RCPT TO:<b@away.example> NOTIFY=NEVER", "DATA", message, "QUIT"],
    );
    assert_eq!(said, ["220", "250", "250", "250", "354", "250", "221"]);
    assert_eq!(taken(out), "X-Trial: 1\r\n\r\n.a dot\r\n\r\n");
    let said = talk(mail, &["HELO a.example", "MAIL FROM:<>", "RCPT TO:<Busy@away.example>", "DATA", "RSET", "VRFY b"]);
    assert_eq!(said, ["220", "250", "250", "450", "503", "250", "502"]);
    assert_eq!(taken(out), "X-Trial: 1\r\n\r\n.a dot\r\n\r\n", "nothing more was taken");
}
