//! Types that are words in the store and in reports: written by `name`, read by looking through `ALL`.

/// A text that is not among the words of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} {text:?}")]
pub struct UnknownWord {
    pub(crate) what: &'static str,
    pub(crate) text: String,
}

/// `Display` and `FromStr` by a type's `ALL` and `name`; the literal says what the type is.
macro_rules! words {
    ($type:ty, $what:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::word::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let unknown = || $crate::word::UnknownWord { what: $what, text: text.to_owned() };
                Self::ALL.into_iter().find(|word| word.name() == text).ok_or_else(unknown)
            }
        }

        impl rusqlite::types::ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.name().into())
            }
        }

        impl rusqlite::types::FromSql for $type {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                value.as_str()?.parse().map_err(|e: $crate::word::UnknownWord| rusqlite::types::FromSqlError::Other(Box::new(e)))
            }
        }
    };
}

pub(crate) use words;
