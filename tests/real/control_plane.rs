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

/// A control plane: our own, which ends when this is dropped or this process dies, or an existing one.
pub(crate) struct ControlPlane {
    pub(crate) kubectl: Kubectl,
    /// The scripted kubelet; `None` if pods cannot be scripted.
    pub(crate) kubelet: Option<Kubelet>,
    own: Option<Own>,
}

/// Properties of our own control planes only.
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

    /// Starts another control plane like this one.
    pub(crate) fn another(&self) -> Self {
        Self::start(&self.own().program)
    }

    /// Starts one with the CloneSet controller as another part.
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
            // In addition to the usual controllers, this one computes the endpoints of Services.
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

    /// An existing cluster, by its kubeconfig. A scripted kubelet reads its rules from the folder `rules` next to it.
    pub(crate) fn of_somebody(kubeconfig: &Path, program: Option<PathBuf>) -> Self {
        let rules = kubeconfig.with_file_name("rules");
        Self {
            kubectl: Kubectl { program, kubeconfig: kubeconfig.to_owned() },
            kubelet: rules.is_dir().then_some(Kubelet { rules }),
            own: None,
        }
    }

    /// The reason why a test cannot run here, if any.
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

    /// A name for a test's namespace that does not exist in the given cluster.
    pub(crate) fn namespace(&self, story: &str) -> String {
        let story = story.replace('_', "-");
        let name = match self.own {
            Some(_) => story,
            None => format!("rollout-{}-{story}", std::process::id()),
        };
        let name: String = name.chars().take(MAX_IN_A_NAME).collect();
        name.trim_end_matches('-').to_owned()
    }

    /// Deletes a test's namespace at the end if the cluster outlives the test.
    pub(crate) fn lend(&self, namespace: &str) -> Loan {
        Loan { kubectl: self.own.is_none().then(|| self.kubectl.clone()), namespace: namespace.to_owned() }
    }

    /// A namespace of its own for a test.
    pub(crate) fn env(&self, story: &str) -> RealEnv<'_> {
        RealEnv::open(self, &self.namespace(story))
    }

    /// The kubeconfig of a user without rights.
    pub(crate) fn limited(&self) -> &Path {
        &self.own().limited
    }

    /// The program that runs it.
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

    /// The certificate of the authority that signed the server's.
    pub(crate) fn ca(&self) -> &Path {
        &self.own().ca
    }

    /// Installs the definitions of Kruise's objects, without their controller.
    pub(crate) fn install_kruises_definitions(&self) {
        let mut command = Command::new(build::kruise(&self.own().program));
        let ended = command.args(["crds", "--kubeconfig"]).arg(&self.kubectl.kubeconfig).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("stories say what they need")
    }

    /// Sends a request to the program, which has to succeed.
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

/// A kubelet that follows rules.
#[derive(Debug, Clone)]
pub(crate) struct Kubelet {
    rules: PathBuf,
}

impl Kubelet {
    /// Sets its rules for a namespace, which may have some already.
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

/// The maximum length of a namespace's name.
const MAX_IN_A_NAME: usize = 63;

/// The requirements of a test besides an API server with its controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Pods that follow rules.
    Pods,
    /// The server's audit log.
    Audit,
    /// A user without rights.
    User,
    /// The definitions of the views, which are cluster-wide.
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
    /// The program that includes kubectl; otherwise, the one on the PATH is used.
    program: Option<PathBuf>,
    pub(crate) kubeconfig: PathBuf,
}

impl Kubectl {
    /// A client of the same user, for a namespace. It does not retry, so that rejected requests are visible. Needs a
    /// tokio runtime, to which the client belongs.
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

/// A namespace in an existing cluster, which is deleted after its test.
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
