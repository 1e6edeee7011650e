//! Variables in a compose file's texts, as `docker stack deploy` and `abra` replace them.
//!
//! | written | value |
//! | --- | --- |
//! | `$NAME`, `${NAME}` | the variable's |
//! | `${NAME:-default}` | the default if the variable is unset or empty |
//! | `${NAME-default}` | the default if it is unset |
//! | `${NAME:?message}` | refused if it is unset or empty |
//! | `${NAME?message}` | refused if it is unset |
//! | `$$` | a dollar sign |
//!
//! Both programs use the template of docker's own CLI (`cli/compose/template`), which is less than the Compose specification and
//! than `docker compose`: `${NAME:+other}` and `${NAME+other}` are refused, a default is taken as it is written, without variables
//! in it, and ends at the first `}`. The crates that interpolate compose files follow the specification, so each of them would
//! read a recipe differently from the deployment. That is why this module is ours: one regular expression, which is the
//! CLI's, and what each operator means. `tests.rs` compares it with `docker stack config` over a table of cases.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What may follow a dollar sign. A name without braces may have an operator too, and its default reaches to the next `}`.
static TEMPLATE: LazyLock<Regex> = LazyLock::new(|| {
    // Without regard to case, `[a-z]` also has two letters that are not ASCII, ſ and the sign of kelvin. So it is in the CLI.
    const VARIABLE: &str = "(?i:[_a-z][_a-z0-9]*)(?::?[-?][^}]*)?";
    let pattern = format!(r"\$(?:(?<escaped>\$)|(?<named>{VARIABLE})|\{{(?<braced>{VARIABLE})\}}|(?<invalid>))");
    Regex::new(&pattern).expect("the pattern is a constant, and tested")
});

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text that is kept.
    Text(&'a str),
    /// A variable.
    Variable(Variable<'a>),
}

/// A variable in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Its name.
    pub name: &'a str,
    /// What happens if it has no value.
    pub fallback: Fallback<'a>,
    /// As it is written, with the dollar sign and the braces.
    pub written: &'a str,
}

/// What happens if a variable has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback<'a> {
    /// Docker warns and puts an empty text in its place.
    Empty,
    /// `:-`: this text replaces a variable that is unset or empty.
    IfUnsetOrEmpty(&'a str),
    /// `-`: this text replaces a variable that is unset.
    IfUnset(&'a str),
    /// `:?`: docker refuses the file if the variable is unset or empty, with this message.
    RefusedIfUnsetOrEmpty(&'a str),
    /// `?`: docker refuses the file if the variable is unset, with this message.
    RefusedIfUnset(&'a str),
}

impl<'a> Variable<'a> {
    /// Docker looks for the operators in this order, anywhere between the braces.
    pub(crate) fn parse(body: &'a str, written: &'a str) -> Self {
        let (name, fallback) = if let Some((name, default)) = body.split_once(":-") {
            (name, Fallback::IfUnsetOrEmpty(default))
        } else if let Some((name, default)) = body.split_once('-') {
            (name, Fallback::IfUnset(default))
        } else if let Some((name, message)) = body.split_once(":?") {
            (name, Fallback::RefusedIfUnsetOrEmpty(message))
        } else if let Some((name, message)) = body.split_once('?') {
            (name, Fallback::RefusedIfUnset(message))
        } else {
            (body, Fallback::Empty)
        };
        Self { name, fallback, written }
    }

    /// Its value, or its default; nothing if it has neither.
    pub fn value<'v>(&self, env: &'v BTreeMap<String, String>) -> Option<&'v str>
    where
        'a: 'v,
    {
        let set = env.get(self.name).map(String::as_str);
        match self.fallback {
            Fallback::Empty | Fallback::RefusedIfUnset(_) => set,
            Fallback::IfUnset(default) => set.or(Some(default)),
            Fallback::IfUnsetOrEmpty(default) => set.filter(|v| !v.is_empty()).or(Some(default)),
            Fallback::RefusedIfUnsetOrEmpty(_) => set.filter(|v| !v.is_empty()),
        }
    }
}

/// Splits a text into its pieces. The error is the part of the text that looks like a variable and is not one. Docker refuses such
/// a text too, unless a valid variable follows: then it drops the dollar sign without a warning.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, &str> {
    let mut parts = Vec::new();
    let mut done = 0;
    for found in TEMPLATE.captures_iter(text) {
        let whole = found.get_match();
        if done < whole.start() {
            parts.push(Part::Text(&text[done..whole.start()]));
        }
        done = whole.end();
        if found.name("escaped").is_some() {
            parts.push(Part::Text(&text[whole.start()..whole.start() + 1]));
        } else if let Some(body) = found.name("named").or(found.name("braced")) {
            parts.push(Part::Variable(Variable::parse(body.as_str(), whole.as_str())));
        } else {
            return Err(not_a_variable(&text[whole.start()..]));
        }
    }
    if done < text.len() {
        parts.push(Part::Text(&text[done..]));
    }
    Ok(parts)
}

/// What to show of a text that begins with a dollar sign and is no variable: up to its brace, else the letters and digits.
fn not_a_variable(from: &str) -> &str {
    let end = match from.as_bytes().get(1) {
        Some(b'{') => from.find('}').map_or(from.len(), |at| at + 1),
        _ => 1 + from[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(from.len() - 1),
    };
    &from[..end]
}

/// The message about a part of a text that is not a variable.
pub fn refusal(bad: &str) -> String {
    let other = bad.strip_prefix("${").is_some_and(|body| {
        let operator = body.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        operator.trim_start_matches(':').starts_with('+')
    });
    if parts(bad).is_ok() {
        return format!("{bad}: with its value, the text is longer than {LONGEST} bytes");
    }
    let why = if other { "; docker stack deploy does not know the operators + and :+" } else { "" };
    format!("{bad:?}: expected a variable such as ${{NAME}}; write $$ for a dollar sign{why}")
}

/// The longest text with its variables replaced, in bytes.
const LONGEST: usize = 4 << 20;

/// Replaces the variables of a text. What has neither a value nor a default stays as it is written, and its name is listed.
///
/// The error is the part of the text that looks like a variable and is not one, or the variable that makes the text too long.
pub fn interpolate<'a>(text: &'a str, env: &BTreeMap<String, String>) -> Result<(String, Vec<&'a str>), &'a str> {
    let mut unset = Vec::new();
    let mut out = String::new();
    for part in parts(text)? {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Variable(variable) => match variable.value(env) {
                Some(value) if out.len() + value.len() > LONGEST => return Err(variable.written),
                Some(value) => out.push_str(value),
                None => {
                    unset.push(variable.name);
                    out.push_str(variable.written);
                }
            },
        }
    }
    Ok((out, unset))
}

/// The text with the variables that have a value replaced. A text that cannot be interpolated stays as it is written.
pub fn filled(text: &str, env: &BTreeMap<String, String>) -> String {
    interpolate(text, env).map_or_else(|_| text.to_owned(), |(filled, _)| filled)
}

/// The text that docker makes of it: what has neither a value nor a default is empty.
pub fn made(text: &str, env: &BTreeMap<String, String>) -> String {
    let Ok(parts) = parts(text) else { return text.to_owned() };
    let mut out = String::new();
    for part in &parts {
        out += match part {
            Part::Text(text) => text,
            Part::Variable(variable) => variable.value(env).unwrap_or_default(),
        };
        if out.len() > LONGEST {
            return text.to_owned();
        }
    }
    out
}

/// The text with each variable under another name, the prefix and then its own. All else of it stays as it is written.
pub fn prefixed(text: &str, prefix: &str) -> String {
    let renamed = |found: &Captures<'_>| {
        let whole = found.get_match();
        let body = found.name("named").or(found.name("braced"));
        let at = body.map_or(whole.len(), |body| body.start() - whole.start());
        let (before, after) = whole.as_str().split_at(at);
        if body.is_some() { format!("{before}{prefix}{after}") } else { before.to_owned() }
    };
    TEMPLATE.replace_all(text, renamed).into_owned()
}

/// A text as it is written so that docker finds no variables in it.
pub fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests;
