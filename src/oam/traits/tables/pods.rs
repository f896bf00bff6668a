//! Traits that add containers, and hooks of containers.

use crate::oam::schema::{
    COUNT, Field, Literal, PORT, POSITIVE, Rule, Shape, TEXTS, Table, defaulted, integer, optional, required,
};
use crate::oam::traits::tables::containers::CONTAINER_NAME;
use crate::oam::traits::tables::{EXEC, HEADERS, IMAGE_TEXT, LABEL_NAME, PATH, SOCKET, VARIABLES};

/// The numbers of a probe, which are always rendered.
pub(in crate::oam) const INITIAL_DELAY: Field = defaulted("initialDelaySeconds", COUNT, Literal::Integer(0));
pub(in crate::oam) const PERIOD: Field = defaulted("periodSeconds", POSITIVE, Literal::Integer(10));
pub(in crate::oam) const TIMEOUT: Field = defaulted("timeoutSeconds", POSITIVE, Literal::Integer(1));
pub(in crate::oam) const SUCCESSES: Field = defaulted("successThreshold", POSITIVE, Literal::Integer(1));
pub(in crate::oam) const FAILURES: Field = defaulted("failureThreshold", POSITIVE, Literal::Integer(3));

/// One success is enough for a probe that restarts its container or lets it start.
pub(in crate::oam) const ONE_SUCCESS: Field =
    defaulted("successThreshold", integer(1, 1), Literal::Integer(1));

const PROBE: &str = "a probe with `exec`, `httpGet` or `tcpSocket`";
const PROBE_ACTION: &[Rule] = &[Rule::ExactlyOne(&["exec", "httpGet", "tcpSocket"])];
const PROBE_EXEC: Field = optional("exec", EXEC);
const PROBE_GET: Field = optional(
    "httpGet",
    Shape::Object(&Table::closed(
        "a mapping with `path` and `port`",
        &[required("path", Shape::Text), required("port", PORT), optional("httpHeaders", HEADERS)],
    )),
);
const PROBE_SOCKET: Field =
    optional("tcpSocket", Shape::Object(&Table::closed("a mapping with `port`", &[required("port", PORT)])));

const SIDECAR_LIVENESS: Shape = Shape::Object(
    &Table::closed(
        PROBE,
        &[PROBE_EXEC, PROBE_GET, PROBE_SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, ONE_SUCCESS, FAILURES],
    )
    .with_rules(PROBE_ACTION),
);

const SIDECAR_READINESS: Shape = Shape::Object(
    &Table::closed(
        PROBE,
        &[PROBE_EXEC, PROBE_GET, PROBE_SOCKET, INITIAL_DELAY, PERIOD, TIMEOUT, SUCCESSES, FAILURES],
    )
    .with_rules(PROBE_ACTION),
);

pub(in crate::oam::traits) const SIDECAR: Table = Table::open(
    "a mapping with `name` and `image`",
    &[
        required("name", LABEL_NAME),
        required("image", IMAGE_TEXT),
        optional("cmd", TEXTS),
        optional("args", TEXTS),
        optional("env", VARIABLES),
        optional(
            "volumes",
            Shape::List {
                of: &Shape::Object(&Table::open(
                    "a volume with `name` and `path`",
                    &[required("name", LABEL_NAME), required("path", PATH)],
                )),
                expected: "a list of volumes, each with `name` and `path`",
            },
        ),
        optional("livenessProbe", SIDECAR_LIVENESS),
        optional("readinessProbe", SIDECAR_READINESS),
    ],
)
.with_advice(&[("command", "the command is `cmd`"), ("volumeMounts", "the mounts are `volumes`")]);

pub(in crate::oam::traits) const INIT_CONTAINER: Table = Table::open(
    "a mapping with `name`, `image`, `appMountPath` and `initMountPath`",
    &[
        required("name", LABEL_NAME),
        required("image", IMAGE_TEXT),
        defaulted(
            "imagePullPolicy",
            Shape::Choice(&["IfNotPresent", "Always", "Never"]),
            Literal::Text("IfNotPresent"),
        ),
        optional("cmd", TEXTS),
        optional("args", TEXTS),
        optional("env", VARIABLES),
        defaulted("mountName", LABEL_NAME, Literal::Text("workdir")),
        required("appMountPath", PATH),
        required("initMountPath", PATH),
        optional(
            "extraVolumeMounts",
            Shape::List {
                of: &Shape::Object(&Table::open(
                    "a mount with `name` and `mountPath`",
                    &[required("name", LABEL_NAME), required("mountPath", PATH)],
                )),
                expected: "a list of mounts, each with `name` and `mountPath`",
            },
        ),
    ],
)
.with_advice(&[("command", "the command is `cmd`")]);

const HANDLER: Shape = Shape::Object(
    &Table::closed(
        "a hook with `exec`, `httpGet` or `tcpSocket`",
        &[
            optional("exec", EXEC),
            optional(
                "httpGet",
                Shape::Object(&Table::closed(
                    "a mapping with `port`",
                    &[
                        optional("path", Shape::Text),
                        required("port", PORT),
                        optional("host", Shape::Text),
                        defaulted("scheme", Shape::Choice(&["HTTP", "HTTPS"]), Literal::Text("HTTP")),
                        optional("httpHeaders", HEADERS),
                    ],
                )),
            ),
            optional("tcpSocket", SOCKET),
        ],
    )
    .with_rules(&[Rule::ExactlyOne(&["exec", "httpGet", "tcpSocket"])]),
);

pub(in crate::oam::traits) const LIFECYCLE: Table = Table::open(
    "a mapping with `postStart` or `preStop`",
    &[optional("postStart", HANDLER), optional("preStop", HANDLER)],
);

pub(in crate::oam::traits) const STARTUP_PROBE: Table = Table::closed(
    "a probe with `exec`, `httpGet`, `grpc` or `tcpSocket`",
    &[
        CONTAINER_NAME,
        INITIAL_DELAY,
        PERIOD,
        TIMEOUT,
        ONE_SUCCESS,
        FAILURES,
        optional("terminationGracePeriodSeconds", POSITIVE),
        optional("exec", EXEC),
        optional(
            "httpGet",
            Shape::Object(&Table::closed(
                "a mapping with `port`",
                &[
                    optional("path", Shape::Text),
                    required("port", PORT),
                    optional("host", Shape::Text),
                    optional("scheme", Shape::Choice(&["HTTP", "HTTPS"])),
                    optional("httpHeaders", HEADERS),
                ],
            )),
        ),
        optional(
            "grpc",
            Shape::Object(&Table::closed(
                "a mapping with `port`",
                &[required("port", PORT), optional("service", Shape::Text)],
            )),
        ),
        optional("tcpSocket", SOCKET),
    ],
)
.with_rules(&[Rule::ExactlyOne(&["exec", "httpGet", "grpc", "tcpSocket"])])
.with_advice(&[("probes", "add a trait for each container, with `containerName`")]);
