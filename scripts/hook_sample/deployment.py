"""The deployment files in YAML, and the fifteen tests on them."""

from __future__ import annotations

COMPOSE = """\
services:
  shop:
    image: example/shop:1.4.0
    ports: ["8080:8080"]
    depends_on: [database]
    environment:
      DATABASE: database:5432
    healthcheck:
      test: ["CMD", "true"]
  database:
    image: example/postgres:16.4
    volumes: ["data:/var/lib/data"]
volumes:
  data: {}
"""
WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: {app: shop, team: sales}
spec:
  replicas: 2
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      labels: {app: shop, team: sales}
    spec:
      securityContext: {runAsNonRoot: true}
      containers:
        - name: shop
          image: example/shop:1.4.0
          ports: [{containerPort: 8080}]
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {cpu: 500m, memory: 256Mi}
          livenessProbe: {httpGet: {path: /alive, port: 8080}}
          readinessProbe: {httpGet: {path: /ready, port: 8080}}
          envFrom: [{configMapRef: {name: shop}}]
"""
MANIFESTS = {
    "workload": WORKLOAD,
    "service": "apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\n"
    "  labels: {app: shop, team: sales}\nspec:\n  selector: {app: shop}\n"
    "  ports: [{port: 80, targetPort: 8080}]\n",
    "ingress": "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: shop\n"
    "  labels: {app: shop, team: sales}\nspec:\n  tls: [{hosts: [shop.example]}]\n"
    "  rules: [{host: shop.example}]\n",
    "settings": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n"
    "  labels: {app: shop, team: sales}\ndata:\n  CURRENCY: EUR\n",
    "scaling": "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n"
    "  name: shop\n  labels: {app: shop, team: sales}\nspec:\n  minReplicas: 2\n"
    "  maxReplicas: 6\n",
    "nightly": "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: nightly\n"
    "  labels: {app: shop, team: sales}\nspec:\n  schedule: 15 2 * * *\n"
    "  concurrencyPolicy: Forbid\n",
}
VALUES = {
    "staging": "replicas: 1\nhost: staging.shop.example\ndebug: true\n",
    "production": "replicas: 4\nhost: shop.example\ndebug: false\n",
}
HEAD = """\
import os
import re
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def read(name):
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


MANIFESTS = {path.stem: read(f"cluster/{path.name}") for path in (DEPLOY / "cluster").glob("*")}


"""
_CONTAINER = 'shop = MANIFESTS["workload"]["spec"]["template"]["spec"]["containers"][0]\n    '
#: Name to (what the test says, the lines of its body).
TESTS = {
    "compose": (
        "services_start_in_order",
        "shop = read('compose.yaml')['services']['shop']\n"
        "    assert shop['depends_on'] == ['database']",
    ),
    "ports": (
        "ports_are_the_same",
        _CONTAINER + "port = shop['ports'][0]['containerPort']\n"
        "    assert MANIFESTS['service']['spec']['ports'][0]['targetPort'] == port",
    ),
    "images": (
        "images_are_pinned",
        "for service in read('compose.yaml')['services'].values():\n"
        "        assert re.search(r':\\d+\\.\\d+', service['image'])",
    ),
    "versions": (
        "one_version_everywhere",
        _CONTAINER + "assert shop['image'] == read('compose.yaml')['services']['shop']['image']",
    ),
    "resources": (
        "limits_are_set",
        _CONTAINER + "assert set(shop['resources']) == {'requests', 'limits'}",
    ),
    "probes": (
        "both_probes_are_there",
        _CONTAINER + "assert shop['livenessProbe'] != shop['readinessProbe']",
    ),
    "labels": (
        "everything_has_a_team",
        "for manifest in MANIFESTS.values():\n"
        "        assert manifest['metadata']['labels']['team'] == 'sales'",
    ),
    "selectors": (
        "selectors_find_the_pods",
        "assert MANIFESTS['service']['spec']['selector'] == {'app': 'shop'}",
    ),
    "ingress": (
        "every_host_has_a_certificate",
        "spec = MANIFESTS['ingress']['spec']\n"
        "    assert spec['rules'][0]['host'] in spec['tls'][0]['hosts']",
    ),
    "scaling": (
        "scaling_has_room",
        "spec = MANIFESTS['scaling']['spec']\n    assert spec['minReplicas'] < spec['maxReplicas']",
    ),
    "nightly": (
        "jobs_never_overlap",
        "assert MANIFESTS['nightly']['spec']['concurrencyPolicy'] == 'Forbid'",
    ),
    "rollout": (
        "a_rollout_leaves_no_gap",
        "spec = MANIFESTS['workload']['spec']\n"
        "    assert spec['strategy']['rollingUpdate']['maxUnavailable'] == 0",
    ),
    "security": (
        "nothing_runs_as_root",
        "spec = MANIFESTS['workload']['spec']['template']['spec']"
        "\n    assert spec['securityContext']['runAsNonRoot'] is True",
    ),
    "settings": (
        "settings_exist",
        _CONTAINER + "name = shop['envFrom'][0]['configMapRef']['name']\n"
        "    assert MANIFESTS['settings']['metadata']['name'] == name",
    ),
    "environments": (
        "production_is_not_debugged",
        "target = os.environ['DEPLOY_TARGET']\n"
        "    assert read(f'values/{target}.yaml')['debug'] is False",
    ),
}


def files() -> dict[str, str]:
    """Return the files of this part, path to text."""
    found = {"deploy/compose.yaml": COMPOSE}
    found.update({f"deploy/cluster/{name}.yaml": text for name, text in MANIFESTS.items()})
    found.update({f"deploy/values/{name}.yaml": text for name, text in VALUES.items()})
    for name, (says, body) in TESTS.items():
        test = f"def test_{says}():\n    {body}\n"
        found[f"tests/deployment/test_{name}.py"] = HEAD + test
    return found
