"""deploy/ by the published schemas of Compose and Kubernetes, and what these cannot say."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from flows import prefect_auth, prefect_server
from serving.http.shutdown import LAST_SECONDS
from tests.served import PROJECT

DEPLOY = PROJECT / "deploy"
KUBERNETES = "1.31"  # the oldest that we claim; the schemas refuse fields that are unknown
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
MANIFESTS: list[dict[str, Any]] = [
    document
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
DEPLOYMENTS = [one for one in MANIFESTS if one["kind"] == "Deployment"]
CONTAINERS = [
    pytest.param(one, container, id=container["name"])
    for one in DEPLOYMENTS
    for pod in [one["spec"]["template"]["spec"]]
    for container in pod.get("initContainers", []) + pod["containers"]
]


def test_compose_is_what_its_schema_says() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(COMPOSE)
    wrong = {"services": {"service": {**COMPOSE["services"]["service"], "healthchek": {}}}}
    with pytest.raises(jsonschema.ValidationError, match="healthchek"):
        validator.validate(wrong)


def name_of(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


@pytest.mark.parametrize("version", [KUBERNETES, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=name_of)
def test_manifests_are_what_their_schemas_say(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)
    wrong = {**manifest, "spek": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_kustomization_names_every_file() -> None:
    folder = DEPLOY / "kubernetes"
    named = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    there = {file.name for file in folder.iterdir()} - {"kustomization.yaml"}
    assert sorted(named) == sorted(there)


def test_no_secret_is_in_them() -> None:
    assert {one["kind"] for one in MANIFESTS}.isdisjoint({"Secret"})
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            if "PASSWORD" in name or "://newsloop:" in value:
                assert "${POSTGRES_PASSWORD:?" in value
    example = (DEPLOY / "env.example").read_text()
    assert "\nPOSTGRES_PASSWORD=\n" in example
    assert "\nPREFECT_PASSWORD=\n" in example


def test_prefect_asks_for_a_password_that_only_the_worker_knows() -> None:
    secret = "newsloop:${PREFECT_PASSWORD:?copy env.example to .env}"
    services = COMPOSE["services"]
    known = {
        (service, name)
        for service, settings in services.items()
        for name, value in settings["environment"].items()
        if value == secret
    }
    assert known == {("prefect", prefect_auth.SERVER), ("worker", prefect_auth.CLIENT)}
    assert services["prefect"]["command"][:3] == ["python", "-m", "flows.prefect_server"]
    assert "*" not in services["prefect"]["environment"][prefect_server.HOSTS]
    of_pods = {
        (pod["metadata"]["name"], entry["name"])
        for pod in DEPLOYMENTS
        for container in pod["spec"]["template"]["spec"]["containers"]
        for entry in container.get("env", [])
        if entry.get("valueFrom", {}).get("secretKeyRef", {}).get("name") == "newsloop-prefect"
    }
    assert of_pods == {
        ("prefect", prefect_auth.SERVER), ("newsloop-worker", prefect_auth.CLIENT),
    }  # fmt: skip


@pytest.mark.parametrize(("deployment", "container"), CONTAINERS)
def test_pods_have_no_rights(deployment: dict[str, Any], container: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]


def test_selectors_find_their_pods() -> None:
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in DEPLOYMENTS]
    for one in MANIFESTS:
        spec = one.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector"))
        if selector is not None:
            assert selector.get("matchLabels", selector) in labels, name_of(one)


def test_the_service_may_end_in_peace_and_is_asked_where_it_answers() -> None:
    pod = next(one for one in DEPLOYMENTS if one["metadata"]["name"] == "newsloop")
    spec = pod["spec"]["template"]["spec"]
    container = spec["containers"][0]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in PROBES}
    assert paths == PROBES
    longest = 5 + LAST_SECONDS + 10  # drain_seconds at most, accepted requests, recording
    assert spec["terminationGracePeriodSeconds"] > longest
    assert int(COMPOSE["services"]["service"]["stop_grace_period"].rstrip("s")) > longest


PROBES = {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}


def test_the_image_is_not_root_and_installs_the_lock() -> None:
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    assert users == ["1000:1000"]
    install = "\n".join(lines).replace("\\\n", "")
    assert re.search(r"--require-hashes .*-r /tmp/requirements.txt .*vectors.txt", install)
    assert "test.txt" not in install
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text().split()
    assert ignored == [
        "*",
        "!requirements.txt",
        "!requirements/vectors.txt",
    ]  # no data, no keys get into an image
