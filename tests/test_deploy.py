"""What is shipped for deployment agrees with the product: paths, ports, probes, configurations."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from aiohttp.test_utils import make_mocked_request

from exporter import __version__
from exporter.config.lint import lint
from exporter.config.load import Config, parse
from exporter.config.settings import ScrapeSource, Server
from exporter.web.callers import Callers
from tests.web.kit import tool

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PORT = int(Server().listen.rpartition(":")[2])
STATE = "/data"


def documents(*names: str) -> list[dict[str, Any]]:
    return [
        document
        for name in names
        for document in yaml.safe_load_all((DEPLOY / name).read_text("utf-8"))
    ]


def kinds(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in found if document["kind"] == kind]


MANIFESTS = documents("kubernetes/sidecar.yaml", "kubernetes/daemonset.yaml")
MONITORS = documents("kubernetes/servicemonitor.yaml")
COMPOSE = documents("compose.yaml")[0]
UNIT = (DEPLOY / "systemd/slod.service").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def configs() -> Iterator[tuple[str, str]]:
    for config_map in kinds(MANIFESTS, "ConfigMap"):
        yield f"ConfigMap {config_map['metadata']['name']}", config_map["data"]["config.toml"]
    for name in ("compose/slod.toml", "container/config.toml"):
        yield name, (DEPLOY / name).read_text("utf-8")


CONFIGS = dict(configs())


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_is_valid_and_without_warnings(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_NAME", "node-1")
    findings = [str(finding) for finding in lint(parse(CONFIGS[name], name))]
    if name == "container/config.toml":
        # The image as it stands has nobody to tell yet.
        assert "nobody is told" in findings.pop()
    assert findings == []


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_listens_for_the_outside_and_keeps_state_in_the_volume(
    name: str,
) -> None:
    config = parse(CONFIGS[name], name)
    assert config.server.listen == f"0.0.0.0:{PORT}"
    assert config.state.path == f"{STATE}/slod.db"


def test_the_unit_gives_a_folder_for_state_and_reloads_by_signal() -> None:
    values = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
    assert values["Type"] == "notify"
    assert values["StateDirectory"] == "slod"
    assert values["ExecReload"].endswith("-HUP $MAINPID")
    assert values["ExecStart"].endswith("slod run -c /etc/slod/config.toml")
    # The contract's exit code for a configuration that cannot be used.
    assert values["RestartPreventExitStatus"] == "2"


# --- Kubernetes ---------------------------------------------------------------------------------


def slod_of(workload: dict[str, Any]) -> dict[str, Any]:
    containers = workload["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = next(c for c in containers if c["name"] == "slod")
    return found


WORKLOADS = kinds(MANIFESTS, "Deployment") + kinds(MANIFESTS, "DaemonSet")
each_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: str(w["kind"]))


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda m: f"{m['kind']}-{m['metadata']['name']}"
)
def test_every_manifest_is_what_kubernetes_expects(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.30", strict=True)


@each_workload
def test_probes_ask_slod_on_its_port(workload: dict[str, Any]) -> None:
    slod = slod_of(workload)
    assert slod["ports"] == [{"name": "slod", "containerPort": PORT}]
    assert slod["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "slod"}
    assert slod["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": "slod"}


@each_workload
def test_a_changed_configmap_is_reloaded_from_within_the_pod(workload: dict[str, Any]) -> None:
    containers = workload["spec"]["template"]["spec"]["containers"]
    (reloader,) = (one for one in containers if one["name"] == "reload")
    options = dict(arg.removeprefix("--").split("=", 1) for arg in reloader["args"])
    # Over loopback and under an address: from anywhere else it would be 403.
    assert options["reload-url"] == f"http://127.0.0.1:{PORT}/-/reload"
    assert options["listen-address"].startswith("127.0.0.1:")
    mounts = {m["mountPath"]: m["name"] for m in reloader["volumeMounts"]}
    assert mounts == {options["watched-dir"]: "config"}


def test_names_under_which_others_ask_are_known() -> None:
    for name, asked in (
        ("compose/slod.toml", "slod"),
        ("ConfigMap checkout-slod", "checkout-slod.shop.svc"),
        ("ConfigMap checkout-slod", "checkout-slod"),
        ("ConfigMap slod", "slod.monitoring.svc.cluster.local"),
    ):
        hosts = parse(CONFIGS[name], name).server.hosts
        for host, right in ((asked, True), ("rebound.example", False)):
            request = make_mocked_request("GET", "/", {"Host": f"{host}:{PORT}"})
            assert (Callers(hosts).misdirected(request) is None) == right, (name, host)


@each_workload
def test_slod_runs_unprivileged_on_a_read_only_root(workload: dict[str, Any]) -> None:
    own = slod_of(workload)["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert workload["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


@each_workload
def test_configuration_and_state_are_mounted_where_the_image_looks(
    workload: dict[str, Any],
) -> None:
    mounts = {m["name"]: m["mountPath"] for m in slod_of(workload)["volumeMounts"]}
    assert mounts == {"config": "/etc/slod", "state": STATE}
    volumes = {v["name"]: v for v in workload["spec"]["template"]["spec"]["volumes"]}
    assert volumes.keys() == mounts.keys()
    wanted = volumes["config"]["configMap"]["name"]
    assert wanted in {c["metadata"]["name"] for c in kinds(MANIFESTS, "ConfigMap")}


@each_workload
def test_selectors_find_the_pods(workload: dict[str, Any]) -> None:
    spec = workload["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    assert wanted <= spec["template"]["metadata"]["labels"].items()


def test_the_daemonset_tells_slod_its_node_and_may_only_look_at_pods() -> None:
    (daemon,) = kinds(MANIFESTS, "DaemonSet")
    source = parse(CONFIGS["ConfigMap slod"], "slod").sources["pods"]
    assert isinstance(source, ScrapeSource)
    assert source.discover is not None
    assert source.discover.kubernetes is not None
    assert source.discover.kubernetes.node == "$NODE_NAME"
    env = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in slod_of(daemon)["env"]}
    assert env == {"NODE_NAME": "spec.nodeName"}
    (role,) = kinds(MANIFESTS, "ClusterRole")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    ]


def test_the_sidecar_scrapes_the_application_beside_it() -> None:
    (deployment,) = kinds(MANIFESTS, "Deployment")
    app = deployment["spec"]["template"]["spec"]["containers"][0]
    source = parse(CONFIGS["ConfigMap checkout-slod"], "slod").sources["app"]
    assert isinstance(source, ScrapeSource)
    assert source.targets == (f"http://127.0.0.1:{app['ports'][0]['containerPort']}/metrics",)


def test_the_monitors_select_what_the_manifests_make() -> None:
    (service_monitor,) = kinds(MONITORS, "ServiceMonitor")
    (pod_monitor,) = kinds(MONITORS, "PodMonitor")
    (service,) = kinds(MANIFESTS, "Service")
    (daemon,) = kinds(MANIFESTS, "DaemonSet")
    wanted = service_monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    assert service["spec"]["ports"][0]["name"] == service_monitor["spec"]["endpoints"][0]["port"]
    wanted = pod_monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= daemon["spec"]["template"]["metadata"]["labels"].items()
    for endpoint in (
        service_monitor["spec"]["endpoints"] + pod_monitor["spec"]["podMetricsEndpoints"]
    ):
        assert (endpoint["port"], endpoint["path"]) == ("slod", "/metrics")
        # Else the SLO's own label would be called exported_service.
        assert endpoint["honorLabels"] is True


# --- containers ---------------------------------------------------------------------------------


def test_the_image_runs_as_a_fixed_user_with_state_in_its_volume() -> None:
    for line in (
        "USER 65532:65532",
        f"VOLUME {STATE}",
        f"EXPOSE {PORT}",
        'ENTRYPOINT ["slod"]',
        'CMD ["run", "-c", "/etc/slod/config.toml"]',
    ):
        assert line in DOCKERFILE.splitlines()
    assert f"http://127.0.0.1:{PORT}/-/healthy" in DOCKERFILE


def test_what_the_image_copies_is_sent_to_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = [line[1:] for line in ignore if line.startswith("!")]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(Path(source).match(pattern) for pattern in kept), source


def test_compose_mounts_files_that_are_there_and_names_services_that_exist() -> None:
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() or source in COMPOSE["volumes"]
    config: Config = parse(CONFIGS["compose/slod.toml"], "slod.toml")
    urls = [s.url for s in config.sources.values() if not isinstance(s, ScrapeSource)]
    urls += [str(r.url) for r in config.receivers.values()]
    hosts = {re.sub(r"^http://|:\d+$", "", url) for url in urls}
    assert hosts == {"prometheus", "alertmanager"} < COMPOSE["services"].keys()


def test_what_compose_mounts_from_here_is_read_only_and_every_image_has_a_version() -> None:
    for service in COMPOSE["services"].values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
        for volume in service["volumes"]:
            assert volume.startswith("./") == volume.endswith(":ro"), volume
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:")


def test_compose_leaves_no_default_password_to_guess() -> None:
    environment = COMPOSE["services"]["grafana"]["environment"]
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_prometheus_watches_slod_and_tells_alertmanager() -> None:
    config = documents("compose/prometheus.yml")[0]
    mounts = [v.split(":") for v in COMPOSE["services"]["prometheus"]["volumes"]]
    inside = {path: source for source, path, *_ in mounts}
    assert [inside[path] for path in config["rule_files"]] == ["./prometheus/slod-alerts.yml"]
    (manager,) = config["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_prometheus_scrapes_slod_and_keeps_its_labels() -> None:
    for name, target in (
        ("prometheus/scrape.yml", f"127.0.0.1:{PORT}"),
        ("compose/prometheus.yml", f"slod:{PORT}"),
    ):
        jobs = {j["job_name"]: j for j in documents(name)[0]["scrape_configs"]}
        assert jobs["slod"]["honor_labels"] is True
        assert jobs["slod"]["static_configs"] == [{"targets": [target]}]


# --- the project --------------------------------------------------------------------------------


def test_images_are_named_by_the_version_that_is_built() -> None:
    images = [slod_of(workload)["image"] for workload in WORKLOADS]
    images.append(COMPOSE["services"]["slod"]["image"])
    assert {image.rpartition(":")[2] for image in images} == {__version__}


def test_the_lock_holds_every_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extra = project["optional-dependencies"]["dev"]
    for lock, wanted in (
        ("run", project["dependencies"]),
        ("dev", project["dependencies"] + extra),
    ):
        text = (ROOT / f"requirements/{lock}.lock").read_text("utf-8")
        locked = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
        assert {re.split(r"[<>=;! ]", name)[0] for name in wanted} <= locked
        assert text.count("--hash=sha256:") >= len(locked)


def test_the_unit_leaves_little_to_whoever_breaks_in() -> None:
    # 10 is a service without any protection; the threshold is in tenths.
    unit = DEPLOY / "systemd/slod.service"
    command = (tool("systemd-analyze"), "security", "--offline=true", "--threshold=19", str(unit))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
