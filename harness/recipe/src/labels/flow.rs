//! Follows the data of a backup: from a hook, through the script that it calls, to the file that it writes, to the volume that holds
//! that file; and from the hook that runs after a restore to the file that it reads.

use super::Hook;
use super::database::working_dir;
use super::hook::{self, Called, Command, Run};
use super::recipe::{ConfigMount, Label, Mount, MountSource, Recipe, Service};

/// A hook of a service, with all that it does.
#[derive(Debug)]
pub(super) struct Flow<'a> {
    /// The service's name.
    pub name: &'a str,
    /// The service.
    pub service: &'a Service,
    /// When it runs.
    pub hook: Hook,
    /// Its label.
    pub label: &'a Label,
    /// What it does, the scripts that it calls included.
    pub command: Command,
    /// The scripts that it calls.
    pub scripts: Vec<Script<'a>>,
    /// The files in volumes that it leaves.
    files: Vec<File<'a>>,
    /// The files in volumes that it may read.
    may_read: Vec<File<'a>>,
}

/// A script that a hook calls, or another program by its path.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// How it is called.
    pub called: Called,
    /// The config that is mounted there, if one is.
    pub config: Option<&'a ConfigMount>,
    /// Whether it is known what it does.
    pub is_read: bool,
    /// Whether it has nothing for its first argument.
    pub lacks_part: bool,
    /// Whether it defines functions, and calls none of them.
    pub calls_nothing: bool,
}

/// A file in a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File<'a> {
    /// The volume's name.
    pub volume: &'a str,
    /// Its path in the volume.
    pub path: String,
}

/// Where an image has its programs, so that nobody mounts them.
const OF_IMAGES: [&str; 10] = ["/bin/", "/sbin/", "/usr/", "/opt/", "/app/", "/srv/", "/var/www/", "/home/", "/root/", "/etc/"];

/// Whether a hook of a service, or a script that it calls, is seen to write this file of a volume before a backup.
pub fn writes_before_backup(recipe: &Recipe, service: &str, volume: &str, path: &str) -> bool {
    let of = |flow: &Flow<'_>| flow.name == service && flow.hook == Hook::BackupPre;
    flows(recipe).iter().filter(|flow| of(flow)).flat_map(Flow::files).any(|file| file.volume == volume && file.path == path)
}

/// Every hook of a recipe.
pub(super) fn flows(recipe: &Recipe) -> Vec<Flow<'_>> {
    let mut all = Vec::new();
    for (name, service) in &recipe.services {
        for (hook, label) in Hook::ALL.into_iter().filter_map(|hook| Some((hook, service.label(hook.label())?))) {
            all.push(Flow::follow(recipe, name, service, hook, label));
        }
    }
    all
}

impl<'a> Flow<'a> {
    fn follow(recipe: &'a Recipe, name: &'a str, service: &'a Service, hook: Hook, label: &'a Label) -> Self {
        let start = service.working_dir.as_deref().or_else(|| working_dir(service.image.as_deref()?));
        let mut command = hook::read_in(&label.value, &service.environment, start);
        let mut scripts: Vec<Script<'a>> = Vec::new();
        for called in command.called.clone() {
            let config = service.configs.iter().find(|c| c.target == called.path);
            let text = config.and_then(|c| recipe.configs.get(&c.source)?.as_deref());
            let interpreter = text.and_then(hook::interpreter);
            let shell = called.shell.as_deref().or(interpreter);
            let is_shell = shell.is_none_or(|s| s.ends_with("sh"));
            command.tools.extend(interpreter.filter(|_| called.shell.is_none()).map(str::to_owned));
            if let Some(text) = text.filter(|_| is_shell) {
                command.add(hook::read_script(text, &called.arguments, &service.environment, start));
            }
            let is_read = text.is_some() && is_shell || OF_IMAGES[..3].iter().any(|dir| called.path.starts_with(dir));
            let first = called.arguments.first().filter(|word| is_shell && hook::may_name_part(word));
            let lacks_part = first.zip(text).is_some_and(|(part, text)| hook::lacks_part(text, part));
            let calls_nothing = text.filter(|_| is_shell).is_some_and(hook::calls_nothing);
            scripts.push(Script { called, config, is_read, lacks_part, calls_nothing });
        }
        let in_volumes = |path: &String| file(service, path);
        let files = command.results().filter_map(in_volumes).collect();
        let may_read = command.reads.iter().chain(&command.names).filter_map(in_volumes).collect();
        Self { name, service, hook, label, command, scripts, files, may_read }
    }

    /// Whether it does something that cannot be read: it calls a script that is not in the recipe, or not a shell's.
    pub(super) fn is_opaque(&self) -> bool {
        self.scripts.iter().any(|script| !script.is_read)
    }

    /// Whether it is certain that it writes no dump.
    pub(super) fn is_idle(&self) -> bool {
        self.scripts.is_empty() && self.command.is_idle() && self.results().next().is_none()
    }

    /// What it writes for the backup. What a server answers is that only in a volume.
    pub(super) fn results(&self) -> impl Iterator<Item = &String> {
        let is_answer = |path: &String| self.command.fetched.contains(path) && file(self.service, path).is_none();
        self.command.results().filter(move |path| !is_answer(path))
    }

    /// Whether both run beside the same data: a volume that both services mount.
    pub(super) fn shares_volume(&self, other: &Flow<'_>) -> bool {
        let is_volume = |mount: &&Mount| matches!(mount.source, MountSource::Volume(_));
        let own = &self.service.mounts;
        other.service.mounts.iter().filter(is_volume).any(|mount| own.iter().any(|m| m.source == mount.source))
    }

    /// Whether it writes a dump, as far as can be told.
    pub(super) fn dumps(&self) -> bool {
        let called = |script: &Script<'_>| {
            let words = std::iter::once(&script.called.path).chain(&script.called.arguments);
            words.into_iter().any(|w| ["backup", "dump"].iter().any(|word| w.to_lowercase().contains(word)))
        };
        self.command.dumps() || self.results().next().is_some() || self.scripts.iter().any(|s| !s.is_read && called(s))
    }

    /// Whether a program of the image is asked for a dump of what the app has, as in `wp db export FILE` and `gitea dump`.
    pub(super) fn exports(&self) -> bool {
        self.hook == Hook::BackupPre && self.command.runs.iter().any(Run::exports)
    }

    /// The files in volumes that it leaves.
    pub(super) fn files(&self) -> &[File<'a>] {
        &self.files
    }

    /// The files in volumes that it leaves for nobody: it removes them again.
    pub(super) fn removed(&self) -> Vec<File<'a>> {
        self.command.lost().filter_map(|path| file(self.service, path)).collect()
    }

    /// The form in which it writes a file of a volume, if it is known.
    pub(super) fn form_of(&self, wanted: &File<'_>) -> Option<&'static str> {
        let is = |(path, _): &&(String, &'static str)| file(self.service, path).is_some_and(|f| f == *wanted);
        self.command.written_as.iter().rev().find(is).map(|(_, form)| *form)
    }

    /// The files in volumes that it can read only in a certain form: the file, the form, the program.
    pub(super) fn read_as(&self) -> impl Iterator<Item = (File<'a>, &'static str, &str)> {
        self.command.read_as.iter().filter_map(|(path, form, tool)| Some((file(self.service, path)?, *form, tool.as_str())))
    }

    /// The files in volumes that it reads for certain.
    pub(super) fn reads(&self) -> Vec<File<'a>> {
        self.command.reads.iter().filter_map(|path| file(self.service, path)).collect()
    }

    /// Whether it may load dumps that it does not name.
    pub(super) fn may_load(&self) -> bool {
        self.is_opaque() || self.command.runs.iter().any(Run::may_load)
    }

    /// Whether it may load one of these files.
    pub(super) fn may_load_one(&self, files: &[File<'_>]) -> bool {
        self.may_load() || files.iter().any(|file| self.may_read(file))
    }

    /// Whether this file is among all that it may read.
    pub(super) fn may_read(&self, wanted: &File<'_>) -> bool {
        self.may_read.iter().any(|f| f.may_be(wanted))
    }
}

impl Script<'_> {
    /// Whether it should be a config, and is none: it is where images have no programs, and no mount has it.
    pub(super) fn is_mounted_by_nobody(&self, service: &Service) -> bool {
        let path = &self.called.path;
        self.config.is_none() && !OF_IMAGES.iter().any(|dir| path.starts_with(dir)) && service.mount_of(path).is_none()
    }
}

fn file<'a>(service: &'a Service, path: &str) -> Option<File<'a>> {
    Recipe::in_volume(service, path).map(|(volume, path)| File { volume, path: path.to_owned() })
}

impl File<'_> {
    /// Whether both may be the same file: the one is the other, or in the folder that the other is, or a pattern or a variable decides.
    fn may_be(&self, other: &File<'_>) -> bool {
        // Most pairs that are asked for are of different volumes.
        if self.volume != other.volume {
            return false;
        }
        let (own, others) = (fixed(&self.path), fixed(&other.path));
        let open = own.len() < self.path.len() || others.len() < other.path.len();
        is_in(&self.path, &other.path)
            || is_in(&other.path, &self.path)
            || open && (own.starts_with(others) || others.starts_with(own))
    }

    /// Whether a selected path has it; `None` if a variable decides.
    pub(super) fn is_selected(&self, paths: &[String]) -> Option<bool> {
        if self.path.contains(['$', '*']) || paths.iter().any(|p| p.contains(['$', '*'])) {
            return None;
        }
        Some(paths.iter().any(|p| p == "." || is_in(&self.path, p) || is_in(p, &self.path)))
    }
}

/// A path up to the first pattern or variable.
fn fixed(path: &str) -> &str {
    path.split(['*', '$', '?', '{', '[']).next().unwrap_or_default()
}

/// Whether a path is the other one, or below it.
fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder.is_empty())
}
