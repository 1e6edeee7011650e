//! Same seed, same bytes: on every machine, in every version.

use mail_parser::MimeHeaders as _;
use proptest::prelude::*;
use seeds::{Corpus, ITEM_HEADER, Kind, Profile};
use sha2::{Digest, Sha256};

fn corpus(seed: u64, profile: &str) -> Corpus {
    Corpus::new(seed, Profile::named(profile).expect("built in"))
}

fn digest(corpus: &Corpus) -> String {
    let mut hash = Sha256::new();
    for message in corpus.messages() {
        hash.update(&message.bytes);
        hash.update(message.sender.as_bytes());
        for recipient in &message.recipients {
            hash.update(recipient.as_bytes());
            hash.update(format!("{:?}", corpus.placement(message.number, recipient)));
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// A change here changes what every stored run reproduces to: it needs a reason in its commit.
#[test]
fn the_bytes_of_seed_1_are_pinned() {
    let digests = ["tiny", "smoke"].map(|profile| digest(&corpus(1, profile)));
    assert_eq!(
        digests,
        [
            "86798dc26877cca81e5fccfd33f668c2c5466fa59077a01bf9322c21a70ecd08",
            "91ed244471869e114caa9504dd55a9d2836a3a431e052d3fc6e1382725096272",
        ]
    );
}

#[test]
fn another_seed_gives_other_bytes() {
    assert_ne!(digest(&corpus(1, "tiny")), digest(&corpus(2, "tiny")));
}

#[test]
fn smoke_has_every_kind_and_the_attachment_sizes_it_promises() {
    let corpus = corpus(1, "smoke");
    let mut kinds: Vec<Kind> = Vec::new();
    for message in corpus.messages() {
        if !kinds.contains(&message.kind) {
            kinds.push(message.kind);
        }
    }
    assert_eq!(kinds.len(), 11);
    let attachment = |n: u64| {
        let bytes = corpus.message(n).bytes;
        let parsed = mail_parser::MessageParser::default().parse(&bytes).expect("a message");
        let part = parsed.attachments().next().expect("an attachment");
        part.contents().len()
    };
    assert_eq!((attachment(8), attachment(19)), (1_048_576, 1));
}

/// A suffix that a mail server takes for a program's makes it refuse the message.
#[test]
fn attachments_are_named_like_documents() {
    let corpus = corpus(1, "default");
    let mut named = 0;
    for message in corpus.messages().filter(|m| m.kind == Kind::Attachment) {
        let parsed = mail_parser::MessageParser::default().parse(&message.bytes).expect("a message");
        for part in parsed.attachments() {
            let name = part.attachment_name().expect("a name");
            assert!(name.ends_with(".csv"), "{name}");
            named += 1;
        }
    }
    assert!(named > 100, "{named}");
}

#[test]
fn a_twin_has_its_predecessors_message_id() {
    let corpus = corpus(1, "smoke");
    let id = |n: u64| {
        let bytes = corpus.message(n).bytes;
        let parsed = mail_parser::MessageParser::default().parse(&bytes).expect("a message");
        parsed.message_id().expect("a Message-ID").to_owned()
    };
    assert_eq!(id(9), id(10));
    assert_ne!(id(8), id(9));
}

#[test]
fn the_large_profile_delivers_a_hundred_thousand() {
    let corpus = corpus(1, "large");
    // Recipients are drawn without the bodies: a sample tells the mean.
    let sample = 200;
    let deliveries: usize = (0..sample)
        .map(|n| {
            let message = corpus.message(n);
            message
                .recipients
                .iter()
                .flat_map(|r| corpus.accounts().deliveries(r))
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        })
        .sum();
    assert!(deliveries as u64 * corpus.len() / sample >= 100_000, "{deliveries} in {sample}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// What RFC 5322 and SMTP demand of a message that must pass unchanged.
    #[test]
    fn every_message_is_well_formed(seed in any::<u64>(), n in 0u64..500) {
        let corpus = corpus(seed, "smoke");
        let message = corpus.message(n);
        let bytes = &message.bytes;
        prop_assert!(bytes.ends_with(b"\r\n"));
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' => prop_assert!(at > 0 && bytes[at - 1] == b'\r', "bare LF at {}", at),
                b'\r' => prop_assert_eq!(bytes.get(at + 1), Some(&b'\n'), "bare CR at {}", at),
                0 => prop_assert!(false, "NUL at {}", at),
                _ => {}
            }
        }
        let longest = bytes.split(|b| *b == b'\n').map(|l| l.len().saturating_sub(1)).max();
        prop_assert!(longest <= Some(998), "a line of {:?}", longest);
        let parsed = mail_parser::MessageParser::default().parse(bytes).expect("a message");
        let expected = n.to_string();
        prop_assert_eq!(parsed.header_raw(ITEM_HEADER).map(str::trim), Some(expected.as_str()));
        prop_assert!(!message.recipients.is_empty());
        for recipient in &message.recipients {
            prop_assert!(!corpus.accounts().deliveries(recipient).is_empty(), "{} is nobody", recipient);
        }
    }
}
