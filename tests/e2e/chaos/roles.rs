//! The program's roles as processes that somebody looks after: whatever ends is started again, as an
//! init system would.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::process::{Child, Command};

use crate::program::SECRETS;

/// What runs, by name: arguments, and whether it works on tasks.
pub const ROLES: [(&str, &[&str]); 6] = [
    ("objects", &["objects"]),
    ("engine", &["engine"]),
    ("serve", &["serve", "--without-tap"]),
    ("tap", &["tap"]),
    ("worker-1", &["worker"]),
    ("worker-2", &["worker"]),
];

/// How often there is looked whether something ended by itself.
const LOOK: Duration = Duration::from_millis(250);

/// A role, whichever process it is just now.
struct Role {
    name: &'static str,
    arguments: &'static [&'static str],
    /// None while it is kept down on purpose.
    child: Mutex<Option<Child>>,
}

/// All of them.
pub struct Roles {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
    roles: Vec<Role>,
    /// How often one ended by itself and was started again.
    pub revived: AtomicU32,
}

impl Roles {
    /// Nothing runs yet. Settings are `<role>.toml` below `folder`, logs go to `<role>.log`.
    pub fn new(folder: &Path, variables: Vec<(&'static str, String)>) -> Self {
        let role = |(name, arguments)| Role {
            name,
            arguments,
            child: Mutex::default(),
        };
        Self {
            folder: folder.to_owned(),
            variables,
            roles: ROLES.map(role).into(),
            revived: AtomicU32::new(0),
        }
    }

    fn role(&self, name: &str) -> &Role {
        let found = self.roles.iter().find(|role| role.name == name);
        found.expect("there is such a role")
    }

    pub fn start(&self, name: &str) {
        let role = self.role(name);
        *role.child.lock().expect("nobody panics with it") = Some(self.spawn(role));
    }

    fn spawn(&self, role: &Role) -> Child {
        let log = self.folder.join(format!("{}.log", role.name));
        let log = File::options().create(true).append(true).open(log);
        self.command(role.name, role.arguments)
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("the program starts")
    }

    fn command(&self, settings: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
        command
            .args(arguments)
            .arg("--config")
            .arg(self.folder.join(format!("{settings}.toml")))
            .env_clear()
            .envs(SECRETS)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command of the program to its end, which must be a good one.
    pub async fn run(&self, arguments: &[&str]) {
        let ended = self.command("serve", arguments).output().await;
        let ended = ended.expect("the program runs");
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    }

    /// SIGKILL, and it stays down until it is started.
    pub async fn kill(&self, name: &str) {
        let child = self
            .role(name)
            .child
            .lock()
            .expect("nobody panics with it")
            .take();
        if let Some(mut child) = child {
            drop(child.kill().await);
        }
    }

    /// SIGSTOP or SIGCONT.
    pub async fn signal(&self, name: &str, signal: &str) {
        let pid = {
            let child = self.role(name).child.lock().expect("nobody panics with it");
            child.as_ref().and_then(Child::id)
        };
        if let Some(pid) = pid {
            let pid = pid.to_string();
            let told = Command::new("kill").args([signal, &pid]).status().await;
            told.expect("there is such a program");
        }
    }

    /// Starts again what ended by itself. Does not end.
    pub async fn keep_up(&self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            for role in &self.roles {
                let mut child = role.child.lock().expect("nobody panics with it");
                let has_ended = child
                    .as_mut()
                    .is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
                if has_ended {
                    self.revived.fetch_add(1, Ordering::Relaxed);
                    *child = Some(self.spawn(role));
                }
            }
        }
    }
}
