//! Faults of what a database is besides its rows: an index, a constraint, a trigger dropped, a default changed, a counter set back, a
//! number of the schema changed, a grant or a role too many.

use futures_util::future::BoxFuture;
use judge::checks::Check;
use judge::model::{Item, Outcome, essence as line};
use judge::store::{ObjectSeen, TableSeen};
use recipe::scenario::{Database, Dialect, Scenario};

use super::sql::{name, run};
use crate::drill::Drill;
use crate::drill::fault::Strike;
use crate::error::{FaultError, Result};
use crate::fault::deed::{Deed, Derived, Together, When, in_content};
use crate::fault::known::Items;

/// The role that is added.
const ROLE: &str = "restore_drill_stranger";

/// What is done to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    IndexDropped,
    ConstraintDropped,
    TriggerDropped,
    DefaultDropped,
    CounterSetBack,
    VersionChanged,
    GrantedToAll,
    RoleAdded,
}

impl Change {
    const ALL: [(Self, &str, &str); 8] = [
        (Self::IndexDropped, "index-dropped", "An index is missing"),
        (Self::ConstraintDropped, "constraint-dropped", "A constraint is missing"),
        (Self::TriggerDropped, "trigger-dropped", "A trigger is missing"),
        (Self::DefaultDropped, "default-dropped", "A column has lost its default"),
        (Self::CounterSetBack, "counter-set-back", "A counter starts again, at numbers that rows have"),
        (Self::VersionChanged, "user-version-changed", "The database has another user_version"),
        (Self::GrantedToAll, "granted-to-all", "Everybody may read and write a table"),
        (Self::RoleAdded, "role-added", "There is a role that was never there before"),
    ];

    /// The kind of objects that it needs, as `checks.toml` names it; none where any database has what it needs.
    fn needs(self) -> Option<&'static str> {
        Some(match self {
            Self::IndexDropped => "index",
            Self::ConstraintDropped => "constraint",
            Self::TriggerDropped => "trigger",
            Self::DefaultDropped => "column",
            Self::CounterSetBack => "sequence",
            Self::GrantedToAll => "table",
            Self::RoleAdded => "role",
            Self::VersionChanged => return None,
        })
    }

    /// Whether there is a statement for it.
    fn is_of(self, dialect: Dialect) -> bool {
        match self {
            Self::VersionChanged => dialect == Dialect::Sqlite,
            Self::ConstraintDropped | Self::DefaultDropped | Self::RoleAdded => dialect != Dialect::Sqlite,
            Self::GrantedToAll => dialect == Dialect::Postgresql,
            Self::CounterSetBack => dialect != Dialect::Mariadb,
            Self::IndexDropped | Self::TriggerDropped => true,
        }
    }

    fn is_possible(self, scenario: &Scenario, database: &Database) -> bool {
        let has = |what: &str| {
            let check = Check::Objects { database: database.name.clone(), what: what.to_owned() };
            scenario.checks.contains_key(&check.to_string())
        };
        self.is_of(database.dialect) && self.needs().is_none_or(has)
    }
}

/// A database that is changed.
#[derive(Debug)]
struct Changed {
    database: Database,
    change: Change,
}

fn possible<'a>(
    scenario: &'a Scenario,
    database: &'a Database,
) -> impl Iterator<Item = (Change, &'static str, &'static str)> + 'a {
    Change::ALL.into_iter().filter(|(change, ..)| change.is_possible(scenario, database))
}

/// The faults of a scenario's databases.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let of_database = |database: &Database| {
        let fault = |(change, word, what): (Change, &str, &str)| {
            let (name, what) = (format!("{}-{word}", database.name), format!("{what}. Database {}.", database.name));
            in_content(name, what, Changed { database: database.clone(), change })
        };
        possible(scenario, database).map(fault).collect::<Vec<_>>()
    };
    scenario.spec.written_databases().flat_map(of_database).collect()
}

/// The same, all of a database at once.
pub fn together(scenario: &Scenario) -> Vec<Derived> {
    let of_database = |database: &Database| {
        let deed = |(change, ..): (Change, &str, &str)| Box::new(Changed { database: database.clone(), change }) as Box<dyn Deed>;
        let deeds: Vec<_> = possible(scenario, database).map(deed).collect();
        let what = format!("An index, a trigger, a counter and more of the kind have changed. Database {}.", database.name);
        let name = format!("{}-objects-changed", database.name);
        (!deeds.is_empty()).then(|| in_content(name, what, Together(deeds)))
    };
    scenario.spec.written_databases().filter_map(of_database).collect()
}

/// Whether a name needs no quotes in any dialect.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.')
}

impl Changed {
    /// The statements that may make the change, with what is found then, the best first.
    fn statements(&self, objects: &[ObjectSeen], tables: &[TableSeen]) -> Vec<(String, String)> {
        let item =
            |x: &ObjectSeen| Item::Object { database: self.database.name.clone(), what: x.what.clone(), name: x.name.clone() };
        let lost = |x: &ObjectSeen| line(&item(x), Outcome::Lost, None);
        let altered = |x: &ObjectSeen, property: &str| line(&item(x), Outcome::Altered, Some(property));
        let of = |what: &'static str, property: &'static str| {
            objects.iter().filter(move |x| x.what == what && x.property == property && is_plain(&x.name))
        };
        let table = |x: &ObjectSeen| tables.iter().find(|t| t.table == x.part_of).map(|t| t.sql.as_str());
        let own = |x: &ObjectSeen| x.name.rsplit('.').next().map(|own| name(self.database.dialect, own));
        let is = self.database.dialect;
        match self.change {
            Change::IndexDropped => of("index", "definition")
                .filter_map(|x| {
                    let on = if is == Dialect::Mariadb { format!(" ON {}", table(x)?) } else { String::new() };
                    let index = if is == Dialect::Mariadb { own(x)? } else { x.name.clone() };
                    Some((format!("DROP INDEX {index}{on}"), lost(x)))
                })
                .collect(),
            Change::ConstraintDropped => {
                let mut found: Vec<_> = of("constraint", "definition").collect();
                found.sort_by_key(|x| !x.value.starts_with("UNIQUE"));
                let drop = |x: &ObjectSeen| Some((format!("ALTER TABLE {} DROP CONSTRAINT {}", table(x)?, own(x)?), lost(x)));
                found.into_iter().filter(|x| !x.value.starts_with("PRIMARY")).filter_map(drop).collect()
            }
            Change::TriggerDropped => of("trigger", "definition")
                .filter_map(|x| {
                    let on = if is == Dialect::Postgresql { format!(" ON {}", table(x)?) } else { String::new() };
                    let trigger = if is == Dialect::Postgresql { own(x)? } else { x.name.clone() };
                    Some((format!("DROP TRIGGER {trigger}{on}"), lost(x)))
                })
                .collect(),
            Change::DefaultDropped => of("column", "default")
                .filter(|x| !x.value.contains("nextval") && !objects.iter().any(|o| o.name == x.name && o.property == "computed"))
                .filter_map(|x| {
                    Some((format!("ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT", table(x)?, own(x)?), altered(x, "default")))
                })
                .collect(),
            Change::CounterSetBack => of("sequence", "value")
                .filter(|x| !x.value.contains("not called") && x.value != "0")
                .map(|x| match is {
                    Dialect::Sqlite => {
                        (format!("UPDATE sqlite_sequence SET seq = 0 WHERE name = '{}'", x.name), altered(x, "value"))
                    }
                    _ => (format!("SELECT setval('{}', 1, false)", x.name), altered(x, "value")),
                })
                .collect(),
            Change::VersionChanged => {
                let database = Item::Database { database: self.database.name.clone() };
                let found = line(&database, Outcome::Altered, Some("user_version"));
                let was = objects.iter().find(|x| x.what.is_empty() && x.property == "user_version");
                let next = was.and_then(|x| x.value.parse::<i32>().ok()).unwrap_or_default().wrapping_add(1);
                vec![(format!("PRAGMA user_version = {next}"), found)]
            }
            Change::GrantedToAll => of("table", "grants")
                .filter(|x| !x.value.contains(", =") && !x.value.starts_with('='))
                .filter_map(|x| Some((&tables.iter().find(|t| t.table == x.name)?.sql, x)))
                .map(|(sql, x)| (format!("GRANT ALL ON {sql} TO PUBLIC"), altered(x, "grants")))
                .collect(),
            Change::RoleAdded => {
                let shown = if is == Dialect::Mariadb { format!("{ROLE}@%") } else { ROLE.to_owned() };
                let role = Item::Object { database: self.database.name.clone(), what: "role".into(), name: shown };
                let word = if is == Dialect::Mariadb { "USER" } else { "ROLE" };
                vec![(format!("CREATE {word} {ROLE}"), line(&role, Outcome::Unexpected, None))]
            }
        }
    }
}

impl Deed for Changed {
    fn when(&self) -> When {
        When::Restored
    }

    fn strike<'a>(&'a self, drill: &'a Drill, _: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let evidence = &drill.run.evidence;
            let Some(baseline) = evidence.completed(judge::BASELINE)? else { return Ok(vec![]) };
            let of = &self.database.name;
            let mut why = "there is nothing of the kind in the baseline".to_owned();
            for (statement, found) in self.statements(&evidence.objects(baseline, of)?, &evidence.tables(baseline, of)?) {
                match run(drill, &self.database, &statement).await? {
                    Ok(()) => return Ok(vec![found]),
                    Err(refused) => why = refused,
                }
            }
            Err(FaultError::Refused { what: format!("database {of} cannot be struck by {:?}", self.change), why }.into())
        })
    }

    fn undo<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(async move {
            if self.change == Change::RoleAdded {
                let word = if self.database.dialect == Dialect::Mariadb { "USER" } else { "ROLE" };
                let what = format!("the role {ROLE} cannot be dropped");
                let dropped = run(drill, &self.database, &format!("DROP {word} {ROLE}")).await?;
                dropped.map_err(|why| FaultError::Refused { what, why })?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(dialect: &str, change: Change, objects: &[(&str, &str, &str, &str)]) -> Vec<(String, String)> {
        let place = if dialect == "sqlite" { "volume = 'v'\nfile = 'f'" } else { "service = 'db'\ncommand = ['{query}']" };
        let database = toml::from_str(&format!("name = 'd'\ndialect = '{dialect}'\n{place}")).expect("valid");
        let object = |(what, name, property, value): &(&str, &str, &str, &str)| ObjectSeen {
            what: (*what).into(),
            name: (*name).into(),
            property: (*property).into(),
            value: (*value).into(),
            part_of: if *what == "table" { String::new() } else { "t".into() },
        };
        let table = TableSeen { table: "t".into(), sql: "public.t".into(), ..TableSeen::default() };
        Changed { database, change }.statements(&objects.iter().map(object).collect::<Vec<_>>(), &[table])
    }

    fn one(dialect: &str, change: Change, objects: &[(&str, &str, &str, &str)]) -> (String, String) {
        statements(dialect, change, objects).into_iter().next().expect("a statement")
    }

    #[test]
    fn each_change_has_its_statement_and_its_finding() {
        let constraints =
            [("constraint", "t.t_check", "definition", "CHECK (a)"), ("constraint", "t.t_key", "definition", "UNIQUE (a)")];
        let (sql, found) = one("postgresql", Change::ConstraintDropped, &constraints);
        assert_eq!(
            (sql.as_str(), found.as_str()),
            ("ALTER TABLE public.t DROP CONSTRAINT \"t_key\"", "database d, constraint t.t_key: lost")
        );
        let index = [("index", "t_at", "definition", "CREATE INDEX")];
        assert_eq!(
            one("sqlite", Change::IndexDropped, &index),
            ("DROP INDEX t_at".into(), "database d, index t_at: lost".into())
        );
        let trigger = [("trigger", "t.tg", "definition", "CREATE TRIGGER")];
        assert_eq!(one("postgresql", Change::TriggerDropped, &trigger).0, "DROP TRIGGER \"tg\" ON public.t");
        let default = [("column", "t.id", "default", "nextval('x')"), ("column", "t.a", "default", "'x'")];
        assert_eq!(one("postgresql", Change::DefaultDropped, &default).1, "database d, column t.a: altered (default)");
        let sequence = [("sequence", "t_id", "value", "5")];
        assert_eq!(one("postgresql", Change::CounterSetBack, &sequence).0, "SELECT setval('t_id', 1, false)");
        let version = [("", "", "user_version", "7")];
        assert_eq!(one("sqlite", Change::VersionChanged, &version).0, "PRAGMA user_version = 8");
        let grants = [("table", "t", "grants", "d=arw/d")];
        assert_eq!(one("postgresql", Change::GrantedToAll, &grants).0, "GRANT ALL ON public.t TO PUBLIC");
        assert_eq!(statements("postgresql", Change::CounterSetBack, &[("sequence", "s", "value", "1, not called yet")]), []);
    }
}
