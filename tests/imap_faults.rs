//! An IMAP server that misbehaves by script: every fault ends as *unread* with its reason, in bounded time and memory; never
//! a hang, a panic or a pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use judge::model::MessageId;
use judge::store::{Evidence, Login, ObservationId};
use restore_drill::probe::Probe as _;
use restore_drill::probe::mail::{Imap, Mail};
use restore_drill::secret::Secret;
use restore_drill::tls::Authority;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It knows no identity of folders, and hides the rights of one.
    KnowsLess,
    AnswerEndless,
    AnswerTorn,
    NoTls,
    ClosesAtOnce,
    ClosesInFetch,
    Garbage,
    GarbageInFetch,
    EndlessLine,
    EndlessResponse,
    LiteralTooLong,
    LiteralTooShort,
    NewUidValidity,
    FewerThanSaid,
    NotInOrder,
    FetchRefused,
    OneConnection,
    StallsAtGreeting,
    StallsInFetch,
    ListRefused,
    Unavailable,
    Refuses,
}

impl Fault {
    /// Whether only a wait that is given up ends it, or may: a short one then, as any other would be one for nothing.
    fn ends_by_time(self) -> bool {
        use Fault::{EndlessLine, EndlessResponse, LiteralTooShort, StallsAtGreeting, StallsInFetch};
        matches!(self, EndlessLine | EndlessResponse | LiteralTooShort | StallsAtGreeting | StallsInFetch)
    }
}

const MESSAGE: &str = "From: a@mail.test\r\nRestore-Drill-Item: 1\r\n\r\nbody\r\n";

struct Server {
    fault: Fault,
    open: AtomicUsize,
    examined: AtomicUsize,
}

type Connection = BufReader<TlsStream<TcpStream>>;

impl Server {
    async fn start(fault: Fault, authority: &Authority) -> u16 {
        let certificates = CertificateDer::pem_slice_iter(authority.cert_pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(authority.key_pem.as_bytes()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(certificates.expect("certificates"), key)
            .expect("a configuration");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Arc::new(Self { fault, open: AtomicUsize::new(0), examined: AtomicUsize::new(0) });
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let (server, acceptor) = (server.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if fault == Fault::NoTls {
                        let _ = tcp.write_all(b"* OK plain\r\n").await;
                        return;
                    }
                    if let Ok(tls) = acceptor.accept(tcp).await {
                        let others = server.open.fetch_add(1, Ordering::SeqCst);
                        let _ = server.serve(&mut BufReader::new(tls), others).await;
                        server.open.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        port
    }

    async fn serve(&self, to: &mut Connection, others: usize) -> std::io::Result<()> {
        match self.fault {
            Fault::ClosesAtOnce => return Ok(()),
            Fault::Garbage => return say(to, &"\u{0}\u{7f}} {9999999999}\r\n)(\r\n".repeat(100)).await,
            Fault::StallsAtGreeting => std::future::pending().await,
            Fault::OneConnection if others > 0 => return say(to, "* BYE too many connections\r\n").await,
            _ => {}
        }
        say(to, "* OK ready\r\n").await?;
        let mut line = String::new();
        while {
            line.clear();
            to.read_line(&mut line).await?
        } > 0
        {
            let (tag, command) = line.trim_end().split_once(' ').unwrap_or(("*", ""));
            let answer = match command.split(' ').next().unwrap_or_default() {
                "LOGIN" if self.fault == Fault::Refuses => format!("{tag} NO [AUTHENTICATIONFAILED] no\r\n"),
                "LOGIN" if self.fault == Fault::Unavailable => format!("{tag} NO [UNAVAILABLE] later\r\n"),
                "LIST" if self.fault == Fault::ListRefused => format!("{tag} NO [SERVERBUG] internal error\r\n"),
                "LIST" => format!("* LIST () \".\" INBOX\r\n{tag} OK\r\n"),
                "LSUB" => format!("* LSUB () \".\" INBOX\r\n{tag} OK\r\n"),
                "EXAMINE" => {
                    let times = self.examined.fetch_add(1, Ordering::SeqCst);
                    let validity = if self.fault == Fault::NewUidValidity { 7 + times } else { 7 };
                    format!(
                        "* 1 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY {validity}] x\r\n* OK [UIDNEXT 2] x\r\n{tag} OK [READ-ONLY] x\r\n"
                    )
                }
                "UID" => match self.fetch(to, tag).await? {
                    Some(answer) => answer,
                    None => return Ok(()),
                },
                "CAPABILITY" => format!("* CAPABILITY IMAP4rev1 ACL METADATA\r\n{tag} OK\r\n"),
                "STATUS" | "GETACL" | "GETMETADATA" => self.attributes(tag, command),
                "LOGOUT" => format!("* BYE\r\n{tag} OK\r\n"),
                _ => format!("{tag} OK\r\n"),
            };
            say(to, &answer).await?;
        }
        Ok(())
    }

    /// The answer to a question about what the server keeps of a folder.
    fn attributes(&self, tag: &str, command: &str) -> String {
        let word = command.split(' ').next().unwrap_or_default();
        match (self.fault, word) {
            (Fault::KnowsLess, "STATUS") => format!("{tag} BAD Invalid status item X-GUID\r\n"),
            (Fault::KnowsLess, "GETACL") => format!("{tag} NO [NOPERM] no\r\n"),
            (Fault::AnswerEndless, _) => format!("* STATUS INBOX (X-GUID {{99999999}}\r\n{}", "x".repeat(5 << 20)),
            (Fault::AnswerTorn, _) => format!("* STATUS \"INBOX (X-GUID 1)\r\n{tag} OK\r\n"),
            (_, "STATUS") => format!("* STATUS INBOX (X-GUID 584cc32e)\r\n{tag} OK\r\n"),
            (_, "GETACL") => format!("* ACL INBOX anyone rl\r\n{tag} OK\r\n"),
            _ if command.contains(" \"\" ") => format!("* METADATA \"\" (/private/vendor/x 1)\r\n{tag} OK\r\n"),
            _ => format!("* METADATA INBOX (/shared/comment {{4}}\r\nnote)\r\n{tag} OK\r\n"),
        }
    }

    /// The answer to a FETCH; none ends the connection.
    async fn fetch(&self, to: &mut Connection, tag: &str) -> std::io::Result<Option<String>> {
        let item = |size: usize| {
            format!(
                "* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \" 1-Jan-2024 00:00:00 +0000\" RFC822.SIZE {} BODY[] {{{size}}}\r\n{MESSAGE})\r\n",
                MESSAGE.len()
            )
        };
        let whole = format!("{}{tag} OK\r\n", item(MESSAGE.len()));
        Ok(match self.fault {
            Fault::ClosesInFetch => {
                say(to, &whole[..whole.len() / 2]).await?;
                None
            }
            Fault::GarbageInFetch => Some("* 1 FETCH (((((\r\n* \u{0}\u{1}\r\n".into()),
            Fault::EndlessLine => {
                say(to, "* 1 FETCH (FLAGS (").await?;
                // 100 MB, if anybody takes them.
                for _ in 0..100 {
                    say(to, &"x".repeat(1_000_000)).await?;
                }
                None
            }
            Fault::EndlessResponse => {
                say(to, "* 1 FETCH (UID 1 BODY[] {400000000}\r\n").await?;
                for _ in 0..400 {
                    say(to, &"0123456789\r\n".repeat(83_334)).await?;
                }
                None
            }
            Fault::LiteralTooLong => Some(format!("{}{tag} OK\r\n", item(MESSAGE.len() - 10))),
            Fault::LiteralTooShort => Some(format!("{}{tag} OK\r\n", item(MESSAGE.len() + 4000))),
            Fault::FewerThanSaid => Some(format!("{tag} OK\r\n")),
            Fault::NotInOrder => {
                let second =
                    "* 2 FETCH (UID 1 FLAGS () INTERNALDATE \" 1-Jan-2024 00:00:00 +0000\" RFC822.SIZE 2 BODY[] {2}\r\nx\n)\r\n";
                let first = item(MESSAGE.len()).replace("UID 1 ", "UID 2 ");
                Some(format!("{first}{second}{tag} OK\r\n"))
            }
            Fault::FetchRefused => Some(format!("{tag} NO [SERVERBUG] internal error\r\n")),
            Fault::StallsInFetch => std::future::pending().await,
            _ => Some(whole),
        })
    }
}

async fn say(to: &mut Connection, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes()).await?;
    to.flush().await
}

/// Reads two accounts from a server with a fault.
async fn read(fault: Fault) -> (tempfile::TempDir, Evidence, ObservationId) {
    let authority = Arc::new(Authority::issue("front.mail.test").expect("an authority"));
    let port = Server::start(fault, &authority).await;
    let patience = Duration::from_secs(if fault.ends_by_time() { 2 } else { 10 });
    let imap = Imap { host: "127.0.0.1".into(), port, authority, patience };
    let accounts = vec!["a@mail.test".to_owned(), "b@mail.test".to_owned()];
    let mail = Mail { imap, accounts, secret: Secret::random().expect("random"), modseqs: None };
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = Evidence::create(dir.path()).expect("evidence");
    let o = evidence.observation("baseline").expect("an observation");
    let reading = mail.observe(&evidence, o, &|_, _| ());
    // No wait here is longer than the patience, and each is repeated a bounded number of times.
    tokio::time::timeout(Duration::from_secs(600), reading).await.expect("it ends").expect("stored");
    (dir, evidence, o)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_fault_everything_is_read() {
    let (_dir, evidence, o) = read(Fault::None).await;
    for (account, login) in evidence.accounts(o).expect("read") {
        assert_eq!(login, Login::Read);
        let messages = evidence.messages(o, &account).expect("read");
        assert_eq!((messages.len(), messages[0].item), (1, Some(MessageId::Corpus(1))));
    }
}

/// What a server tells of a folder is kept; of what it does not know or does not tell, nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_keeps_of_folders_is_read() {
    for (fault, expected) in [
        (
            Fault::None,
            vec![
                "annotation /private/vendor/x 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
                "acl anyone lr",
                "annotation /shared/comment edb465624291e4053c6c5ea4b7eb320dec773e10a57d26b95dcf0564f8e310f8",
                "guid  584cc32e",
            ],
        ),
        (
            Fault::KnowsLess,
            vec![
                "annotation /private/vendor/x 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
                "annotation /shared/comment edb465624291e4053c6c5ea4b7eb320dec773e10a57d26b95dcf0564f8e310f8",
            ],
        ),
    ] {
        let (_dir, evidence, o) = read(fault).await;
        let told = evidence.folder_attributes(o, "a@mail.test").expect("read");
        let told: Vec<String> = told.iter().map(|a| format!("{} {} {}", a.property, a.of, a.value)).collect();
        assert_eq!(told, expected, "{fault:?}");
        assert_eq!(evidence.accounts(o).expect("read")[0].1, Login::Read);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_login_is_refused_and_nothing_else_is() {
    let (_dir, evidence, o) = read(Fault::Refuses).await;
    assert!(evidence.accounts(o).expect("read").iter().all(|(_, l)| matches!(l, Login::Refused(why) if why.contains("no"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_fault_is_unread_with_its_reason() {
    for (fault, says) in [
        (Fault::NoTls, "TLS"),
        (Fault::ClosesAtOnce, "greeting"),
        (Fault::ClosesInFetch, "folder INBOX"),
        (Fault::Garbage, "greeting"),
        (Fault::GarbageInFetch, "folder INBOX"),
        // Cut off by length or by time, whichever comes first.
        (Fault::EndlessLine, "folder INBOX: FETCH"),
        (Fault::EndlessResponse, "folder INBOX: "),
        (Fault::LiteralTooLong, "folder INBOX"),
        (Fault::LiteralTooShort, "no answer in 2 s"),
        (Fault::NewUidValidity, "the folder changed while it was read"),
        (Fault::FewerThanSaid, "1 messages are there, 0 were listed"),
        (Fault::NotInOrder, "message 1 has UID 2, and message 2 UID 1: not in order"),
        (Fault::FetchRefused, "folder INBOX"),
        (Fault::StallsAtGreeting, "no answer in 2 s"),
        (Fault::StallsInFetch, "no answer in 2 s"),
        (Fault::ListRefused, "LIST gave no folder"),
        (Fault::Unavailable, "later"),
        (Fault::AnswerEndless, "an answer of more than 4 MiB"),
        (Fault::AnswerTorn, "an answer that cannot be read"),
    ] {
        let (mut _dir, mut evidence, mut o) = read(fault).await;
        // A machine that is too busy to connect in time has not seen the fault.
        let busy = |login: &Login| matches!(login, Login::Unread(why) if why.contains("connecting: ") && !why.contains(says));
        for _ in 0..3 {
            if !evidence.accounts(o).expect("read").iter().any(|(_, login)| busy(login)) {
                break;
            }
            (_dir, evidence, o) = read(fault).await;
        }
        let accounts = evidence.accounts(o).expect("read");
        assert_eq!(accounts.len(), 2, "{fault:?}");
        for (account, login) in accounts {
            assert!(matches!(&login, Login::Unread(why) if why.contains(says)), "{fault:?}: {login:?}");
            assert_eq!(
                evidence.messages(o, &account).expect("read"),
                [],
                "{fault:?}: what was read before it broke is no observation"
            );
        }
    }
}

/// A server that takes one connection at a time: each account is read, or unread with the server's words.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_never_a_pass() {
    let (_dir, evidence, o) = read(Fault::OneConnection).await;
    for (account, login) in evidence.accounts(o).expect("read") {
        let messages = evidence.messages(o, &account).expect("read").len();
        match login {
            Login::Read => assert_eq!(messages, 1),
            other => assert_eq!((matches!(other, Login::Unread(_)), messages), (true, 0), "{other:?}"),
        }
    }
}
