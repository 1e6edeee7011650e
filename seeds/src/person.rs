//! People whom a user knows: what goes into address books and signatures.

use crate::rng::Rng;

/// Somebody whom a user knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As people write it: not in ASCII alone.
    pub name: String,
    /// In a reserved domain.
    pub email: String,
    /// Where they work.
    pub organization: String,
}

const GIVEN: [&str; 10] = ["Åsa", "Jürgen", "Zoë", "Søren", "Łucja", "Nguyễn", "Дарья", "李", "Mary Ann", "D'Arcy"];
const FAMILY: [&str; 10] =
    ["Öberg", "Weiß", "O’Neill", "Dvořák", "Papadopoúlou", "Văn", "Петрова", "小龍", "van den Berg", "Smith"];
const WORK: [&str; 5] = ["Bäckerei & Söhne", "Co-op \"Sunrise\"", "Μουσείο", "Ateliers <Nord>", "The 3rd Garage"];

pub(crate) fn generate(seed: u64, account: &str, n: u32) -> Person {
    let mut rng = Rng::new(seed, &format!("person {n} of {account}"));
    let name = format!("{} {}", rng.pick(&GIVEN), rng.pick(&FAMILY));
    let email =
        format!("p{n}-{:08x}@{}", rng.below(1 << 32), rng.pick(&["people.example", "friends.example.org", "work.example"]));
    Person { name, email, organization: (*rng.pick(&WORK)).to_owned() }
}
