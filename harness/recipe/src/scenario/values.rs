//! The values of a recipe's variables in a drill: the recipe's sample, then the scenario's `[env]`, then what an operator's file says,
//! but for the names of production.

use std::path::Path;

use crate::env::{EnvFile, Values};
use crate::recipe_folder::RecipeFolder;

/// The variable with the stack's name, which abra sets.
pub const STACK_NAME: &str = "STACK_NAME";
/// What stands for the stack's name until there is a run.
pub const STACK: &str = "{stack}";
/// The variable with the app's domain.
const DOMAIN: &str = "DOMAIN";
/// The domain of a drill for which neither the recipe nor the scenario has one.
const NOBODYS: &str = "app.example";
/// What stands in values of `[env]` for what a run has of its own. No operator's value comes in its place.
const OF_RUN: [&str; 3] = ["{subnet}", "{certificate.host}", "{secret"];

/// What a scenario is read with.
#[derive(Debug, Clone, Copy, Default)]
pub struct With<'a> {
    /// A recipe's folder, in the place of the scenario's own recipe.
    pub recipe: Option<&'a Path>,
    /// An operator's file of values.
    pub env_file: Option<&'a Path>,
}

/// The values, with placeholders for what only a run has.
pub(super) fn merged(recipe: &RecipeFolder, scenario: &Values, operator: Option<&EnvFile>) -> Values {
    let mut set = scenario.clone();
    if let Some(operator) = operator {
        set.extend(of_operator(operator, recipe, scenario));
    }
    set.insert(STACK_NAME.into(), STACK.into());
    recipe.values(&set)
}

/// What an operator's file says, with the drill's names in the place of production's.
fn of_operator(operator: &EnvFile, recipe: &RecipeFolder, scenario: &Values) -> Values {
    let theirs = operator.values(&Values::new()).remove(DOMAIN).filter(|d| !d.is_empty());
    let mut names = Values::from([(STACK_NAME.into(), STACK.into())]);
    let ours = recipe.values(scenario).remove(DOMAIN).filter(|d| !d.is_empty()).unwrap_or_else(|| NOBODYS.into());
    if theirs.is_some() {
        names.insert(DOMAIN.into(), ours.clone());
    }
    let mut values = operator.values(&names);
    let is_of_run = |name: &String| scenario.get(name).is_some_and(|value| OF_RUN.iter().any(|of| value.contains(of)));
    values.retain(|name, _| !is_of_run(name));
    if let Some(theirs) = theirs.filter(|d| d.contains('.')) {
        values.values_mut().for_each(|value| *value = renamed(value, &theirs, &ours));
    }
    values
}

/// A text with another domain in the place of one, also where that is the end of a longer one.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let is_of_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (mut out, mut done) = (String::new(), 0);
    for (at, _) in text.match_indices(from) {
        let end = at + from.len();
        if at >= done && !text[..at].ends_with(is_of_label) && !text[end..].starts_with(is_of_label) {
            out += &text[done..at];
            out += to;
            done = end;
        }
    }
    out + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> EnvFile {
        EnvFile::parse(Path::new("a.env"), text).expect("valid")
    }

    fn folder(sample: &str) -> RecipeFolder {
        let exported = Values::from([("CONF_VERSION".into(), "v3".into())]);
        RecipeFolder { dir: "recipe".into(), sample: Some(file(sample)), exported }
    }

    fn of(values: &[(&str, &str)]) -> Values {
        values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_later_source_wins_and_what_is_made_of_a_value_follows() {
        let recipe =
            folder("DOMAIN=a.example.org\nHOST=www.$DOMAIN\nA=sample\nB=sample\nC=sample\nCONF_VERSION=v1\nN=${STACK_NAME}_n\n");
        let scenario = of(&[("DOMAIN", "s.test"), ("B", "scenario"), ("C", "scenario")]);
        let got = merged(&recipe, &scenario, Some(&file("C=operator\nCONF_VERSION=v0\n")));
        let expected = of(&[
            ("DOMAIN", "s.test"),
            ("HOST", "www.s.test"),
            ("A", "sample"),
            ("B", "scenario"),
            ("C", "operator"),
            ("CONF_VERSION", "v3"),
            ("STACK_NAME", "{stack}"),
            ("N", "{stack}_n"),
        ]);
        assert_eq!(got, expected);
    }

    #[test]
    fn an_operators_file_leads_to_nothing_of_production() {
        let operator = "TYPE=wiki:1.0.0+2\nSTACK_NAME=wiki_coop_example_org\nDOMAIN=wiki.coop.example.org\nHOST=$DOMAIN\n\
                        URL=https://api.wiki.coop.example.org/x\nOTHER=mywiki.coop.example.org wiki.coop.example.organic\n\
                        SUBNET=10.1.0.0/24\nTHEIRS=${STACK_NAME}_data\n";
        let scenario = of(&[("DOMAIN", "s.test"), ("SUBNET", "{subnet}")]);
        let got = merged(&folder("DOMAIN=a.example.org\n"), &scenario, Some(&file(operator)));
        let value = |name: &str| got[name].as_str();
        assert_eq!((value("STACK_NAME"), value("THEIRS")), ("{stack}", "{stack}_data"));
        assert_eq!((value("DOMAIN"), value("HOST"), value("URL")), ("s.test", "s.test", "https://api.s.test/x"));
        assert_eq!(value("OTHER"), "mywiki.coop.example.org wiki.coop.example.organic");
        assert_eq!(value("SUBNET"), "{subnet}");
        let without = merged(&folder(""), &Values::new(), Some(&file("DOMAIN=wiki.coop.example.org\n")));
        assert_eq!(without["DOMAIN"], "app.example");
    }
}
