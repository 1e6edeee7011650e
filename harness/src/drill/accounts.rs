//! Provisioning: the corpus' accounts, in the form that the scenario's template gives them.

use std::path::Path;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures_util::{StreamExt as _, TryStreamExt as _};
use recipe::scenario::{AccountImport, UserCommands};
use seeds::Accounts;
use serde_json::{Value, json};
use sha_crypt::{CustomizedPasswordHasher as _, Params, ShaCrypt};

use super::deploying::Deployed;
use super::seeing;
use super::state::Drill;
use super::users::make_user;
use crate::error::{Error, Result, SeedingError};
use crate::events::{Phase, Running};
use crate::secret::Secret;

/// The accounts are in, and each logged in once.
#[must_use]
pub struct Provisioned {
    _private: (),
}

/// Has the corpus' users made, as the app has them made.
pub async fn provision(drill: &Drill, _: Deployed) -> Result<Provisioned> {
    let phase = drill.run.events.phase(Phase::Provision);
    seeing::remember_fresh(drill).await?;
    let said = match (drill.app.mail(), &drill.app.scenario.spec.users) {
        (Some(mail), _) => import(drill, &mail.accounts, &phase).await?,
        (None, Some(users)) => make_users(drill, users, &phase).await?,
        (None, None) => "nobody logs in to this app".to_owned(),
    };
    phase.finish(said);
    Ok(Provisioned { _private: () })
}

/// Has users made one by one.
async fn make_users(drill: &Drill, spec: &UserCommands, phase: &Running) -> Result<String> {
    let users = drill.run.corpus.accounts().mailboxes();
    for (done, user) in users.iter().enumerate() {
        make_user(drill, spec, &user.email, true).await?.ok(&format!("making user {}", user.email))?;
        phase.progress(done as u64 + 1, users.len() as u64, "users");
    }
    Ok(format!("{} users", users.len()))
}

/// Imports the accounts and logs each in once: an app may rewrite a password's hash at the first login.
async fn import(drill: &Drill, spec: &AccountImport, phase: &Running) -> Result<String> {
    let template = drill.app.scenario.dir.join(&spec.template);
    let config = configuration(&template, drill.run.corpus.accounts(), &drill.run.secret)?;
    let service = drill.app.stack.service(&spec.service);
    let began = Instant::now();
    drill.app.engine().exec(&service, &spec.command, &[], Some(config.as_bytes())).await?.ok("importing the accounts")?;
    drill.run.clocks().users = Some(began.elapsed());
    drill.app.restart_waves(&spec.restart, |_, _| ()).await?;
    let accounts = drill.run.enabled();
    let imap = drill.app.imap();
    let total = accounts.len() as u64;
    let logins = accounts.into_iter().map(|account| {
        let imap = &imap;
        async move {
            let session = imap.login(&account, &drill.run.secret.password(&account)).await;
            let mut session = session.map_err(|e| {
                let why = e.reason().to_string();
                SeedingError::Login { account, after: "its import", why }
            })?;
            let _ = session.logout().await;
            Ok::<_, Error>(())
        }
    });
    let mut logins = futures_util::stream::iter(logins).buffer_unordered(4);
    let mut done = 0;
    while logins.try_next().await?.is_some() {
        done += 1;
        phase.progress(done, total, "logins");
    }
    let all = drill.run.corpus.accounts();
    Ok(format!("{} users, {} aliases, {} domains", all.users.len(), all.aliases.len(), all.domains.len()))
}

/// What a scenario's template for the accounts is filled with: the corpus' domains, users, aliases and relays, with the run's
/// passwords in clear, which the template's filters hash.
fn context(accounts: &Accounts, secret: &Secret) -> Value {
    let users = accounts.users.iter().map(|user| {
        let mut value = json!(user);
        value["password"] = json!(secret.password(&user.email));
        for at in 0..user.tokens.len() {
            value["tokens"][at]["password"] = json!(secret.token(at, &user.email));
        }
        for at in 0..user.fetches.len() {
            value["fetches"][at]["password"] = json!(secret.derive(&format!("fetch {at} {}", user.email)));
        }
        value
    });
    let users: Vec<Value> = users.collect();
    json!({"domains": accounts.domains, "users": users, "aliases": accounts.aliases, "relays": accounts.relays})
}

/// The accounts as the app reads them, by the scenario's template.
///
/// # Errors
/// The template cannot be read or filled; the error names its file and line.
pub(super) fn configuration(file: &Path, accounts: &Accounts, secret: &Secret) -> Result<String> {
    let template = std::fs::read_to_string(file).map_err(Error::io(file))?;
    let salt = |secret: &Secret, password: &str| secret.derive(&format!("salt {password}"));
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let salts = secret.clone();
    environment.add_filter("sha512_crypt", move |password: String| sha512_crypt(&password, &salt(&salts, &password)));
    let salts = secret.clone();
    environment.add_filter("pbkdf2_sha256", move |password: String| pbkdf2_sha256(&password, &salt(&salts, &password)));
    let rendered = environment.render_str(&template, minijinja::value::Serde(context(accounts, secret)));
    rendered
        .map_err(|e| Error::input(file, e.line(), format!("the template for the accounts: {}", e.detail().unwrap_or("wrong"))))
}

/// `$6$…`, with few rounds: cheap to check (Drepper's SHA-crypt, as glibc and passlib read it).
fn sha512_crypt(password: &str, salt: &str) -> Result<String, minijinja::Error> {
    let fail = |e: &dyn std::fmt::Display| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, format!("hashing: {e}"));
    let params = Params::new(1_000).map_err(|e| fail(&e))?;
    let salt = &salt.as_bytes()[..12];
    let hash = ShaCrypt::SHA512.hash_password_customized(password.as_bytes(), salt, None, None, params).map_err(|e| fail(&e))?;
    Ok(hash.as_str().to_owned())
}

/// `$pbkdf2-sha256$…` as passlib writes it.
fn pbkdf2_sha256(password: &str, salt: &str) -> String {
    let ab64 = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes).replace('+', ".");
    let rounds = 1_000;
    let hash = pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(password.as_bytes(), salt.as_bytes(), rounds);
    format!("$pbkdf2-sha256${rounds}${}${}", ab64(salt.as_bytes()), ab64(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_in_the_forms_that_passlib_reads() {
        let hash = sha512_crypt("geheim", "0123456789abcdef").expect("hashed");
        assert!(hash.starts_with("$6$rounds=1000$"), "{hash}");
        let salt = hash.split('$').nth(3).expect("a salt");
        assert!(salt.len() <= 16, "{salt}");
        // Computed with Python's hashlib.pbkdf2_hmac and passlib's encoding.
        let hash = pbkdf2_sha256("geheim", "salt");
        assert_eq!(hash, "$pbkdf2-sha256$1000$c2FsdA$urXxD6FJzEgGur6YlhVrndLlgCzswVv5nzl7qzFHH58");
    }

    #[test]
    fn a_template_that_cannot_be_filled_names_its_file_and_line() {
        let secret = Secret::random().expect("random");
        let corpus = seeds::Corpus::new(1, seeds::Profile::named("tiny").expect("built in"));
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("accounts.j2");
        std::fs::write(&file, "[\n{{ nobody.email }}]\n").expect("written");
        let error = configuration(&file, corpus.accounts(), &secret).expect_err("undefined").to_string();
        assert!(error.contains("accounts.j2:2: the template for the accounts: "), "{error}");
    }

    #[test]
    fn no_password_is_in_the_configuration() {
        let secret = Secret::random().expect("random");
        let corpus = seeds::Corpus::new(1, seeds::Profile::named("smoke").expect("built in"));
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/mailu/accounts.json.j2");
        let text = configuration(&template, corpus.accounts(), &secret).expect("a configuration");
        let parsed: Value = serde_json::from_str(&text).expect("JSON");
        let of = |kind: &str| parsed[kind].as_array().map_or(0, Vec::len);
        assert_eq!((of("user"), of("alias")), (corpus.accounts().users.len(), corpus.accounts().aliases.len()));
        for user in &corpus.accounts().users {
            assert!(!text.contains(&secret.password(&user.email)), "{}", user.email);
        }
        assert!(text.contains("\"dkim_key\": \"-generate-\"") && text.contains("$pbkdf2-sha256$"));
    }
}
