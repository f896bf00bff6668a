//! A running control plane.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::build;
use crate::real_env::RealEnv;

/// A control plane: one of our own, which ends when this is dropped or when this process dies, or somebody's.
pub(crate) struct ControlPlane {
    pub(crate) kubectl: Kubectl,
    /// What pods do; `None` if that cannot be said.
    pub(crate) kubelet: Option<Kubelet>,
    own: Option<Own>,
}

/// What only a control plane of our own has.
struct Own {
    program: PathBuf,
    limited: PathBuf,
    certificate: PathBuf,
    ca: PathBuf,
    audit: PathBuf,
    talk: Mutex<Talk>,
    child: Child,
    _folder: TempDir,
}

struct Talk {
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl ControlPlane {
    pub(crate) fn start(program: &Path) -> Self {
        Self::start_with(program, &[])
    }

    /// One more like this one.
    pub(crate) fn another(&self) -> Self {
        Self::start(&self.own().program)
    }

    /// With the CloneSet controller as one more part.
    pub(crate) fn start_with_kruise(program: &Path) -> Self {
        Self::start_with(program, &["--kruise".as_ref(), build::kruise(program).as_os_str()])
    }

    fn start_with(program: &Path, more: &[&OsStr]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = fs::File::create(folder.path().join("up.log")).unwrap();
        let mut child = Command::new(program)
            .args(["up", "--dir"])
            .arg(folder.path().join("plane"))
            .args(more)
            // Beside the usual ones: it is what Services come to.
            .arg("--controllers-arg=--controllers=endpointslice-controller")
            // Room for the Services of many namespaces.
            .arg("--apiserver-arg=--service-cluster-ip-range=10.0.0.0/16")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut talk =
            Talk { stdin: child.stdin.take(), stdout: BufReader::new(child.stdout.take().unwrap()) };
        let mut line = String::new();
        talk.stdout.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("{}", fs::read_to_string(folder.path().join("up.log")).unwrap_or_default())
        });
        let path = |value: &Value| PathBuf::from(value.as_str().unwrap());
        Self {
            kubectl: Kubectl { program: Some(program.to_owned()), kubeconfig: path(&said["kubeconfig"]) },
            kubelet: Some(Kubelet { rules: path(&said["rulesDir"]) }),
            own: Some(Own {
                program: program.to_owned(),
                limited: path(&said["kubeconfigs"]["limited"]),
                certificate: path(&said["kubeconfigs"]["certificate"]),
                ca: path(&said["ca"]),
                audit: path(&said["audit"]),
                talk: Mutex::new(talk),
                child,
                _folder: folder,
            }),
        }
    }

    /// Somebody's, by a kubeconfig. A folder `rules` beside it is where a scripted kubelet reads its rules.
    pub(crate) fn of_somebody(kubeconfig: &Path, program: Option<PathBuf>) -> Self {
        let rules = kubeconfig.with_file_name("rules");
        Self {
            kubectl: Kubectl { program, kubeconfig: kubeconfig.to_owned() },
            kubelet: rules.is_dir().then_some(Kubelet { rules }),
            own: None,
        }
    }

    /// Why a test cannot run here, if it cannot.
    pub(crate) fn lacks(&self, needs: &[Need]) -> Option<&'static str> {
        needs.iter().find_map(|need| match need {
            Need::Pods => self.kubelet.is_none().then_some("its pods cannot be scripted"),
            Need::Audit => self.own.is_none().then_some("its audit log is not at hand"),
            Need::User => self.own.is_none().then_some("a user without rights is not at hand"),
            Need::Definitions => self.own.is_none().then_some("definitions are for all of it"),
            Need::Parts => self.own.is_none().then_some("its parts are not to be killed"),
            Need::Programs => self.own.is_none().then_some("what is built with it is not at hand"),
            Need::CloneSets => self.own.is_none().then_some("it may have no CloneSets"),
        })
    }

    /// A test's namespace, which the given cluster does not have yet.
    pub(crate) fn namespace(&self, story: &str) -> String {
        let story = story.replace('_', "-");
        let name = match self.own {
            Some(_) => story,
            None => format!("rollout-{}-{story}", std::process::id()),
        };
        let name: String = name.chars().take(MAX_IN_A_NAME).collect();
        name.trim_end_matches('-').to_owned()
    }

    /// Deletes a test's namespace where it would be left behind.
    pub(crate) fn lend(&self, namespace: &str) -> Loan {
        Loan { kubectl: self.own.is_none().then(|| self.kubectl.clone()), namespace: namespace.to_owned() }
    }

    /// A namespace of its own for a test.
    pub(crate) fn env(&self, story: &str) -> RealEnv<'_> {
        RealEnv::open(self, &self.namespace(story))
    }

    /// The kubeconfig of a user who may do nothing.
    pub(crate) fn limited(&self) -> &Path {
        &self.own().limited
    }

    /// The program that it is a run of.
    pub(crate) fn program(&self) -> &Path {
        &self.own().program
    }

    /// The server's audit log.
    pub(crate) fn audit(&self) -> &Path {
        &self.own().audit
    }

    /// The admin's kubeconfig with a client certificate.
    pub(crate) fn certificate(&self) -> &Path {
        &self.own().certificate
    }

    /// The certificate that signed the server's.
    pub(crate) fn ca(&self) -> &Path {
        &self.own().ca
    }

    /// Installs the definitions of Kruise's objects, without anything that acts on them.
    pub(crate) fn install_kruises_definitions(&self) {
        let mut command = Command::new(build::kruise(&self.own().program));
        let ended = command.args(["crds", "--kubeconfig"]).arg(&self.kubectl.kubeconfig).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("stories say what they need")
    }

    /// Asks the program for something and expects that it was done.
    pub(crate) fn ask(&self, request: &Value) -> Value {
        let mut talk = self.own().talk.lock().unwrap();
        let stdin = talk.stdin.as_mut().unwrap();
        stdin.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut line = String::new();
        talk.stdout.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }

    pub(crate) fn part(&self, what: &str, part: &str) {
        self.ask(&json!({"do": what, "part": part}));
    }
}

/// A kubelet that does what rules say.
#[derive(Debug, Clone)]
pub(crate) struct Kubelet {
    rules: PathBuf,
}

impl Kubelet {
    /// Scripts it for a namespace; it may already know some rules.
    pub(crate) fn script(&self, namespace: &str, rules: &str) {
        let file = self.rules.join(format!("{namespace}.yaml"));
        let partial = self.rules.join(format!("{namespace}.partial"));
        fs::write(&partial, rules).unwrap();
        fs::rename(partial, file).unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Ok(mut talk) = self.talk.lock() {
            talk.stdin = None;
        }
        if let Err(error) = self.child.wait() {
            build::say(&format!("the control plane did not end: {error}"));
        }
    }
}

/// The longest name of a namespace.
const MAX_IN_A_NAME: usize = 63;

/// What a test needs besides an API server with its controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Pods that follow rules.
    Pods,
    /// The server's log of requests.
    Audit,
    /// A user who may do nothing.
    User,
    /// The definitions of the views, which are the whole cluster's.
    Definitions,
    /// Parts that can be killed.
    Parts,
    /// The other programs that are built with the control plane's.
    Programs,
    /// OpenKruise's controller of CloneSets.
    CloneSets,
}

/// kubectl, as the admin.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    /// The program that has it; otherwise the one in the path.
    program: Option<PathBuf>,
    pub(crate) kubeconfig: PathBuf,
}

impl Kubectl {
    /// A client of the same user, for a namespace. It asks nothing again: what the server refuses is to be seen.
    /// Needs a tokio runtime, whose the client is.
    pub(crate) async fn client(&self, namespace: &str) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        namespace.clone_into(&mut config.default_namespace);
        config.default_retry = false;
        Client::try_from(config).unwrap()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = match &self.program {
            Some(program) => Command::new(program),
            None => Command::new("kubectl"),
        };
        command.args(self.program.as_ref().map(|_| "kubectl")).env("KUBECONFIG", &self.kubeconfig);
        command
    }
}

/// A namespace in somebody's cluster, which is deleted with its test.
pub(crate) struct Loan {
    kubectl: Option<Kubectl>,
    namespace: String,
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(kubectl) = &self.kubectl else { return };
        // A policy of a test that failed is named after its namespace.
        let kinds = ["validatingadmissionpolicybinding", "validatingadmissionpolicy", "namespace"];
        for kind in kinds {
            let arguments = ["delete", kind, &self.namespace, "--ignore-not-found", "--wait=false"];
            let gone = kubectl.command().args(arguments).output().is_ok_and(|output| output.status.success());
            if !gone {
                build::say(&format!("{kind} `{}` is left behind", self.namespace));
            }
        }
    }
}
