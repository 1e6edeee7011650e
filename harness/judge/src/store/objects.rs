//! What a database is besides its rows: columns, indexes, triggers, sequences, roles, …, each with its properties.

use std::collections::BTreeMap;

use rusqlite::params;

use super::evidence::{Evidence, ObservationId};
use crate::error::Result;

/// A property of an object of a database, as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectSeen {
    /// What the object is: `table`, `index`, `sequence`, `role`, …. Empty for the database itself.
    pub what: String,
    /// Its name.
    pub name: String,
    /// The property; empty for an object that has none: it is there.
    pub property: String,
    /// The value.
    pub value: String,
    /// The table that the object is part of; empty if it is part of none. With a table that is lost, its parts are lost.
    pub part_of: String,
}

/// A property in which two observations differ: before, after; none where the object does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectPair {
    pub what: String,
    pub name: String,
    pub property: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub part_of: String,
}

/// An object that only one observation has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectAlone {
    pub what: String,
    pub name: String,
    pub part_of: String,
}

/// The objects in which two observations of a database differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectPairs {
    /// Properties of objects that both have.
    pub changed: Vec<ObjectPair>,
    /// Objects that are not there after.
    pub only_before: Vec<ObjectAlone>,
    /// Objects that were not there before.
    pub only_after: Vec<ObjectAlone>,
}

impl Evidence {
    /// Stores properties of a database's objects.
    pub fn put_objects(&self, o: ObservationId, database: &str, objects: &[ObjectSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for x in objects {
                tx.prepare_cached("INSERT OR REPLACE INTO db_object VALUES (?, ?, ?, ?, ?, ?, ?)")?
                    .execute(params![o.0, database, x.what, x.name, x.property, x.value, x.part_of])?;
            }
            tx.commit()
        })
    }

    /// The properties of a database's objects, by what, name and property.
    pub fn objects(&self, o: ObservationId, database: &str) -> Result<Vec<ObjectSeen>> {
        self.with(|db| {
            db.prepare(
                "SELECT what, name, property, value, part_of FROM db_object WHERE observation = ? AND db = ?
                 ORDER BY what, name, property",
            )?
            .query_map(params![o.0, database], |r| {
                let (what, name, property) = (r.get(0)?, r.get(1)?, r.get(2)?);
                Ok(ObjectSeen { what, name, property, value: r.get(3)?, part_of: r.get(4)? })
            })?
            .collect()
        })
    }

    /// How many objects of each kind a database has.
    pub fn object_counts(&self, o: ObservationId, database: &str) -> Result<BTreeMap<String, u64>> {
        self.with(|db| {
            let sql =
                "SELECT what, count(DISTINCT name) FROM db_object WHERE observation = ? AND db = ? AND what <> '' GROUP BY what";
            db.prepare(sql)?.query_map(params![o.0, database], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
        })
    }

    /// The objects of a database in which two observations differ, by what, name and property. What is part of a table that only one
    /// of them has is not among them.
    pub(crate) fn object_pairs(&self, before: ObservationId, after: ObservationId, database: &str) -> Result<ObjectPairs> {
        let same = "n.observation = ?2 AND n.db = o.db AND n.what = o.what AND n.name = o.name";
        let changed = format!(
            "SELECT o.what, o.name, o.property, o.part_of, o.value, n.value FROM db_object AS o JOIN db_object AS n
             ON {same} AND n.property = o.property WHERE o.observation = ?1 AND o.db = ?3 AND o.value <> n.value"
        );
        let property = format!(
            "SELECT o.what, o.name, o.property, o.part_of, o.value FROM db_object AS o WHERE o.observation = ?1 AND o.db = ?3
             AND NOT EXISTS (SELECT 1 FROM db_object AS n WHERE {same} AND n.property = o.property)
             AND (o.what = '' OR EXISTS (SELECT 1 FROM db_object AS n WHERE {same}))"
        );
        let only = format!(
            "SELECT DISTINCT o.what, o.name, o.part_of FROM db_object AS o WHERE o.observation = ?1 AND o.db = ?3 AND o.what <> ''
             AND NOT EXISTS (SELECT 1 FROM db_object AS n WHERE {same})
             AND (o.part_of = '' OR EXISTS (SELECT 1 FROM db_object AS n
                  WHERE n.observation = ?2 AND n.db = o.db AND n.what = 'table' AND n.name = o.part_of))
             ORDER BY o.what, o.name"
        );
        self.with(|db| {
            let pair = |r: &rusqlite::Row<'_>, after: Option<String>| {
                let (what, name, property, part_of) = (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
                Ok(ObjectPair { what, name, property, before: Some(r.get(4)?), after, part_of })
            };
            let mut pairs: Vec<ObjectPair> = db
                .prepare_cached(&changed)?
                .query_map(params![before.0, after.0, database], |r| pair(r, r.get(5)?))?
                .collect::<rusqlite::Result<_>>()?;
            let mut properties = db.prepare_cached(&property)?;
            for lost in properties.query_map(params![before.0, after.0, database], |r| pair(r, None))? {
                pairs.push(lost?);
            }
            for new in properties.query_map(params![after.0, before.0, database], |r| pair(r, None))? {
                let new = new?;
                pairs.push(ObjectPair { before: None, after: new.before.clone(), ..new });
            }
            pairs.sort_by(|a, b| (&a.what, &a.name, &a.property).cmp(&(&b.what, &b.name, &b.property)));
            let alone = |r: &rusqlite::Row<'_>| Ok(ObjectAlone { what: r.get(0)?, name: r.get(1)?, part_of: r.get(2)? });
            let objects = |a: ObservationId, b: ObservationId| -> rusqlite::Result<Vec<ObjectAlone>> {
                db.prepare_cached(&only)?.query_map(params![a.0, b.0, database], alone)?.collect()
            };
            Ok(ObjectPairs { changed: pairs, only_before: objects(before, after)?, only_after: objects(after, before)? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(what: &str, name: &str, property: &str, value: &str, part_of: &str) -> ObjectSeen {
        let own = str::to_owned;
        ObjectSeen { what: own(what), name: own(name), property: own(property), value: own(value), part_of: own(part_of) }
    }

    #[test]
    fn objects_differ_by_property_and_parts_go_with_their_table() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let stored = |name: &str, objects: &[ObjectSeen]| {
            let o = evidence.observation(name).expect("an observation");
            evidence.put_objects(o, "d", objects).expect("stored");
            o
        };
        let kept = [object("table", "t", "owner", "a", ""), object("column", "t.c", "type", "text", "t")];
        let lost = [object("table", "u", "owner", "a", ""), object("index", "u_i", "", "", "u")];
        let setting = [object("", "", "setting TimeZone", "UTC", ""), object("index", "t_i", "", "", "t")];
        let before = stored("before", &[&kept[..], &lost, &setting].concat());
        let default = [object("column", "t.c", "type", "int", "t"), object("column", "t.c", "default", "1", "t")];
        let after = stored("after", &[&kept[..1], &default, &[object("role", "r", "login", "yes", "")]].concat());
        let ObjectPairs { changed, only_before, only_after } = evidence.object_pairs(before, after, "d").expect("read");
        let changed: Vec<_> =
            changed.iter().map(|c| (c.name.as_str(), c.property.as_str(), c.before.as_deref(), c.after.as_deref())).collect();
        let expected = [
            ("", "setting TimeZone", Some("UTC"), None),
            ("t.c", "default", None, Some("1")),
            ("t.c", "type", Some("text"), Some("int")),
        ];
        assert_eq!(changed, expected);
        let names = |alone: &[ObjectAlone]| alone.iter().map(|x| format!("{} {}", x.what, x.name)).collect::<Vec<_>>();
        assert_eq!(
            (names(&only_before), names(&only_after)),
            (vec!["index t_i".into(), "table u".into()], vec!["role r".into()])
        );
        assert_eq!(evidence.object_pairs(before, before, "d").expect("read"), ObjectPairs::default());
        let counts = evidence.object_counts(before, "d").expect("read");
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("column".into(), 1), ("index".into(), 2), ("table".into(), 2)]);
    }
}
