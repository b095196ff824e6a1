"""Ignored differences and configured health, on `shiplog serve --sandbox`; and the same decisions on files."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from test_cli import GIT, PROGRAM, application

CONFIGURATION = """
ignoreDifferences:
- {kind: ConfigMap, jsonPointers: [/data/stamp]}
health:
- group: example.org
  kind: Thing
  rules:
  - {when: '.status.phase == "Broken"', status: Degraded, messageFrom: .status.why}
  - {when: '.status.phase == "Up"', status: Healthy}
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'example.org/web:1'}]}
"""

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {stamp: git, value: git}\n"

DEFINITIONS = "".join(f"""---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {kind.lower()}s.example.org}}
spec:
  group: example.org
  scope: Namespaced
  names: {{kind: {kind}, plural: {kind.lower()}s}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{status: {{}}}}
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
---
apiVersion: example.org/v1
kind: {kind}
metadata: {{name: one}}
spec: {{size: 1}}
""" for kind in ("Thing", "Gadget"))


class Server:
    """`serve --sandbox` with a configuration, the command line that talks to it, and the cluster's own API."""

    def __init__(self, directory):
        self.directory = Path(directory)
        data = self.directory / "data"
        configuration = self.directory / "shiplog.yaml"
        configuration.write_text(CONFIGURATION)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("SHIPLOG_", "CLICOLOR"))}
        self.environment["HOME"] = str(directory)
        log = open(self.directory / "log", "w")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--sandbox", "--config", str(configuration), "--data", str(data), "--listen", "127.0.0.1:0"],
            env=self.environment, stdout=log, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 120
        url = None
        while url is None:
            assert self.process.poll() is None and time.monotonic() < deadline, (self.directory / "log").read_text()
            url = re.search(r"http://127\.0\.0\.1:\d+", (self.directory / "log").read_text())
            time.sleep(0.1)
        self.environment["SHIPLOG_SERVER"] = url.group(0)
        self.environment["SHIPLOG_TOKEN_FILE"] = str(data / "tokens" / "admin")
        self.kubeconfig = data / "sandbox" / "kubeconfig"
        while subprocess.run([PROGRAM, "app", "list"], env=self.environment, capture_output=True).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        access = yaml.safe_load(self.kubeconfig.read_text())
        # The password stands in the address, where plain HTTP takes it.
        self.cluster = re.sub("//.*@", "//", access["clusters"][0]["cluster"]["server"])
        self.token = access["users"][0]["user"]["token"]
        self.repository = self.directory / "repository"
        (self.repository / "app").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *arguments, code=0, text=None):
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)], env=self.environment, input=text, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, (
            f"shiplog {' '.join(map(str, arguments))} ended with {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments, **options):
        return json.loads(self.run(*arguments, "-o", "json", **options).stdout)

    def git(self, *arguments):
        return subprocess.run(
            ["git", "-C", str(self.repository), *arguments], env={**self.environment, **GIT}, check=True,
            capture_output=True, text=True).stdout.strip()

    def commit(self, **files):
        for name, content in files.items():
            (self.repository / "app" / f"{name}.yaml").write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")

    def api(self, path, patch=None, manager="kubectl-edit"):
        """An object as the cluster has it, after a merge patch if there is one."""
        request = urllib.request.Request(
            f"{self.cluster}{path}" + (f"?fieldManager={manager}" if patch else ""),
            method="PATCH" if patch else "GET", data=json.dumps(patch).encode() if patch else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/merge-patch+json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def apply(self, **spec):
        spec.setdefault("syncPolicy", {"automated": {"selfHeal": True, "prune": True}, "syncOptions": ["CreateNamespace=true"]})
        return self.run("app", "apply", "-f", "-", text=application(self.repository, name="shop", **spec))

    def app(self):
        return self.json("app", "get", "shop")

    def until(self, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, (self.app(), (self.directory / "log").read_text()[-2000:])
            time.sleep(0.1)
        return found

    def synced(self):
        self.run("app", "refresh", "shop")
        self.run("app", "wait", "shop", "--sync", "--timeout", "60s")

    def writes(self):
        return [one["sequence"] for one in self.json("app", "history", "shop")["items"] if one["kind"] == "sync"]

    def settled(self, seconds=2):
        """The writes there are once nothing more comes: a fight would go on."""
        self.run("app", "refresh", "shop")
        before = self.writes()
        time.sleep(seconds)
        self.run("app", "refresh", "shop")
        assert self.writes() == before
        return before


DEPLOYMENT_PATH = "/apis/apps/v1/namespaces/second/deployments/web"
MAP_PATH = "/api/v1/namespaces/second/configmaps/map"


@pytest.fixture(scope="module")
def server():
    assert PROGRAM, "SHIPLOG_BIN must name the program: make test does"
    directory = tempfile.mkdtemp(prefix="shiplog-differences-")
    server = None
    try:
        server = Server(directory)
        server.commit(deployment=DEPLOYMENT, map=MAP)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def rule(**entry):
    return [{"group": "apps", "kind": "Deployment", **entry}]


def test_an_expression_outside_of_the_subset_is_refused_by_its_name(server):
    text = application(server.repository, name="shop", ignoreDifferences=rule(jqPathExpressions=["del(.spec.replicas)"]))
    refused = server.run("app", "apply", "-f", "-", text=text, code=2)
    assert "application.unsupported" in refused.stderr
    assert "spec.ignoreDifferences[0].jqPathExpressions[0]" in refused.stderr and "del" in refused.stderr


def test_automated_sync_does_not_fight_an_ignored_field(server):
    done = server.apply(ignoreDifferences=rule(jsonPointers=["/spec/replicas"]))
    assert "ignoreDifferences" not in done.stderr, "accepted without a warning"
    server.synced()
    before = server.settled()
    server.api(DEPLOYMENT_PATH, {"spec": {"replicas": 5}})
    assert server.settled() == before
    assert server.api(DEPLOYMENT_PATH)["spec"]["replicas"] == 5
    assert server.app()["sync"] == "Synced"
    server.run("app", "diff", "shop", code=0)


def test_another_field_of_the_same_object_is_healed_and_takes_the_ignored_one_along(server):
    server.api(DEPLOYMENT_PATH, {"metadata": {"labels": {"shiplog.dev/application": None}},
                                 "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}})
    server.settled()
    # A label of ours is a difference that counts; the number comes along, as in Argo CD without RespectIgnoreDifferences.
    server.until(lambda: server.api(DEPLOYMENT_PATH)["spec"]["replicas"] == 2)


def test_what_a_manager_owns_is_left_to_it(server):
    server.apply(ignoreDifferences=rule(managedFieldsManagers=["scaler"]))
    server.synced()
    before = server.settled()
    server.api(DEPLOYMENT_PATH, {"spec": {"replicas": 7}}, manager="scaler")
    assert server.settled() == before
    assert server.api(DEPLOYMENT_PATH)["spec"]["replicas"] == 7
    # Somebody else's change of the same field is healed.
    server.api(DEPLOYMENT_PATH, {"spec": {"replicas": 8}}, manager="kubectl-edit")
    server.until(lambda: server.api(DEPLOYMENT_PATH)["spec"]["replicas"] == 2)


def test_an_element_is_ignored_by_what_is_in_it(server):
    server.apply(ignoreDifferences=rule(
        jqPathExpressions=['.spec.template.spec.containers[] | select(.name == "web") | .image']))
    server.synced()
    before = server.settled()
    server.api(DEPLOYMENT_PATH, {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "example.org/web:9"}]}}}})
    assert server.settled() == before
    assert server.api(DEPLOYMENT_PATH)["spec"]["template"]["spec"]["containers"][0]["image"] == "example.org/web:9"
    # Without the rule the same difference counts.
    server.apply()
    server.until(lambda: server.api(DEPLOYMENT_PATH)["spec"]["template"]["spec"]["containers"][0]["image"] == "example.org/web:1")


def test_an_ignored_field_is_left_alone_by_a_sync_that_is_asked_to(server):
    done = server.apply(
        ignoreDifferences=rule(jsonPointers=["/spec/replicas"]),
        syncPolicy={"automated": {"selfHeal": True}, "syncOptions": ["CreateNamespace=true", "RespectIgnoreDifferences=true"]})
    assert "RespectIgnoreDifferences" not in done.stderr, "accepted without a warning"
    server.synced()
    server.api(DEPLOYMENT_PATH, {"spec": {"replicas": 6}})
    server.commit(deployment=DEPLOYMENT.replace("web:1", "web:2"))
    server.synced()
    server.until(lambda: server.api(DEPLOYMENT_PATH)["spec"]["template"]["spec"]["containers"][0]["image"].endswith("web:2"))
    assert server.api(DEPLOYMENT_PATH)["spec"]["replicas"] == 6
    server.settled()
    # Without the option a sync takes it along.
    server.apply(ignoreDifferences=rule(jsonPointers=["/spec/replicas"]))
    server.commit(deployment=DEPLOYMENT)
    server.synced()
    server.until(lambda: server.api(DEPLOYMENT_PATH)["spec"]["replicas"] == 2)


def test_the_servers_own_rules_hold_for_every_application(server):
    server.synced()
    before = server.settled()
    server.api(MAP_PATH, {"data": {"stamp": "robot"}})
    assert server.settled() == before
    assert server.api(MAP_PATH)["data"]["stamp"] == "robot"
    server.api(MAP_PATH, {"data": {"value": "robot"}})
    server.until(lambda: server.api(MAP_PATH)["data"]["value"] == "git")


def test_what_does_not_count_is_not_shown_as_a_difference(server):
    server.apply(syncPolicy={}, ignoreDifferences=rule(jsonPointers=["/spec/replicas"]))
    server.synced()
    server.api(DEPLOYMENT_PATH, {"spec": {"replicas": 3, "paused": True}})
    server.commit(deployment=DEPLOYMENT.replace("replicas: 2", "replicas: 2\n  paused: false"))
    server.run("app", "refresh", "shop")
    shown = server.until(lambda: subprocess.run(
        [PROGRAM, "app", "diff", "shop"], env=server.environment, capture_output=True, text=True).stdout)
    assert "paused" in shown and "-  replicas" not in shown and "+  replicas" not in shown


def test_configured_rules_and_standard_conditions_say_how_custom_kinds_are(server):
    server.commit(custom=DEFINITIONS)
    server.apply()
    server.synced()

    def health(kind):
        return next(
            (one.get("health"), one.get("message")) for one in server.app()["resources"]
            if one["kind"] == kind and one["group"] == "example.org")

    server.until(lambda: health("Thing")[0] == "Progressing")
    path = "/apis/example.org/v1/namespaces/second/things/one/status"
    server.api(path, {"status": {"phase": "Broken", "why": "it fell down"}})
    server.until(lambda: health("Thing") == ("Degraded", "it fell down"))
    assert server.until(lambda: server.app()["health"]["status"] == "Degraded")
    server.api(path, {"status": {"phase": "Up"}})
    server.until(lambda: health("Thing")[0] == "Healthy")
    gadget = "/apis/example.org/v1/namespaces/second/gadgets/one/status"
    server.api(gadget, {"status": {"conditions": [{"type": "Ready", "status": "False", "message": "warming up"}]}})
    server.until(lambda: health("Gadget") == ("Progressing", "warming up"))
    server.api(gadget, {"status": {"conditions": [{"type": "Stalled", "status": "True", "message": "no power"}]}})
    server.until(lambda: health("Gadget") == ("Degraded", "no power"))
    # The same decision, on a file with what the cluster answers.
    (server.directory / "things.json").write_text(json.dumps(server.api("/apis/example.org/v1/namespaces/second/gadgets")))
    told = server.json("explain", "health", server.directory / "things.json")
    assert told["items"][0]["by"] == "conditions" and told["health"]["status"] == "Degraded"


def test_explain_diff_tells_fields_and_owners_of_what_the_cluster_answers(server):
    server.apply(syncPolicy={})
    server.api(DEPLOYMENT_PATH, {"spec": {"replicas": 9}}, manager="somebody")
    live = server.directory / "live.json"
    live.write_text(json.dumps(server.api(DEPLOYMENT_PATH)))
    desired = server.directory / "desired.yaml"
    desired.write_text(DEPLOYMENT.replace("replicas: 2", "replicas: 4"))
    told = server.json("explain", "diff", "--desired", desired, "--live", live, code=1)
    changes = {change["field"]: change for change in told["items"][0]["changes"]}
    assert changes["spec.replicas"] == {
        "field": "spec.replicas", "change": "changed", "desired": 4, "live": 9, "owners": ["somebody"]}


def test_an_element_somebody_adds_to_a_keyed_list_of_a_custom_kind_is_no_difference(server):
    definition = DEFINITIONS.split("---")[1].replace("Thing", "Road").replace("thing", "road").replace(
        "{type: object, x-kubernetes-preserve-unknown-fields: true}",
        "{type: object, properties: {spec: {type: object, properties: {lanes: {type: array, x-kubernetes-list-type: map, "
        "x-kubernetes-list-map-keys: [id], items: {type: object, required: [id], properties: {id: {type: string}, "
        "width: {type: integer}}}}}}}}")
    road = "---\napiVersion: example.org/v1\nkind: Road\nmetadata: {name: one}\nspec: {lanes: [{id: a, width: 1}]}\n"
    server.commit(road="---" + definition + road)
    server.apply()
    server.synced()
    path = "/apis/example.org/v1/namespaces/second/roads/one"
    server.until(lambda: server.api(path)["spec"]["lanes"])
    before = server.settled()
    server.api(path, {"spec": {"lanes": [{"id": "z", "width": 9}, {"id": "a", "width": 1}]}})
    assert server.settled() == before
    assert len(server.api(path)["spec"]["lanes"]) == 2 and server.app()["sync"] == "Synced"
    server.api(path, {"spec": {"lanes": [{"id": "z", "width": 9}, {"id": "a", "width": 2}]}})
    server.until(lambda: {"id": "a", "width": 1} in server.api(path)["spec"]["lanes"])
    assert {"id": "z", "width": 9} in server.api(path)["spec"]["lanes"]


# On files alone


@pytest.fixture
def files(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name
    return write


def explain(*arguments, code=0, text=None):
    done = subprocess.run(
        [PROGRAM, "explain", *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60,
        env={k: v for k, v in os.environ.items() if not k.startswith("SHIPLOG_")})
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def test_explain_diff_ends_with_0_or_1_like_diff(files):
    desired = files("desired.yaml", DEPLOYMENT)
    live = DEPLOYMENT.replace("name: web}", "name: web, namespace: shop}", 1)
    assert "same" in explain("diff", "--desired", desired, "--live", "-", text=live).stdout
    shown = explain("diff", "--desired", desired, "--live", files("live.yaml", live.replace("replicas: 2", "replicas: 3")), code=1)
    assert re.search(r"^  spec\.replicas +changed +3 +2$", shown.stdout, re.M)
    assert "apps/Deployment shop/web" in shown.stdout


def test_explain_diff_tries_rules_out(files):
    desired, live = files("desired.yaml", DEPLOYMENT), files("live.yaml", DEPLOYMENT.replace("replicas: 2", "replicas: 3"))
    entries = [{"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.replicas"]}]
    for document in (entries, {"ignoreDifferences": entries}, {"kind": "Application", "spec": {"ignoreDifferences": entries}}):
        shown = explain("diff", "--desired", desired, "--live", live, "--ignore", files("rules.yaml", yaml.safe_dump(document)))
        assert re.search(r"^  spec\.replicas +ignored +3 +2$", shown.stdout, re.M), shown.stdout
    wrong = explain("diff", "--desired", desired, "--live", live, "--ignore", files("r.yaml", "- {kind: a, jsonPath: b}"), code=2)
    assert "r.yaml:1:" in wrong.stderr and "jsonPath is no known field" in wrong.stderr


def test_explain_diff_never_shows_a_secrets_values(files):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: %s}\n"
    for form in ("table", "json", "yaml"):
        shown = explain(
            "diff", "--desired", files("a.yaml", secret % "hunter2"), "--live", files("b.yaml", secret % "hunter3"), "-o", form,
            code=1)
        assert "hunter" not in shown.stdout + shown.stderr and "aHVudGVy" not in shown.stdout + shown.stderr
        assert "data.password" in shown.stdout


def test_explain_health_reads_lists_and_names_what_says_so(files):
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}, "status": {"phase": "Lost"}}
    thing = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "b"}, "status": {"phase": "Broken", "why": "w"}}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [claim, thing]})
    told = json.loads(explain("health", "-", "-o", "json", text=text).stdout)
    assert [(one["kind"], (one.get("health") or {}).get("status"), one["by"]) for one in told["items"]] == [
        ("PersistentVolumeClaim", "Degraded", "built-in"), ("Thing", None, "presence")]
    shown = explain("health", "-", "--config", files("c.yaml", CONFIGURATION), text=text).stdout.splitlines()
    assert shown[0].split() == ["RESOURCE", "HEALTH", "BY", "MESSAGE"]
    assert re.match(r"example.org/Thing b +Degraded +configured +w$", shown[2])
    assert shown[3].startswith("all of them")
    wrong = explain("health", "-", "--config", files("d.yaml", "health: [{kind: A, rules: [{status: Fine}]}]"), code=2, text=text)
    assert "configuration.invalid" in wrong.stderr


def test_explain_names_the_file_and_line_of_what_it_cannot_read(files):
    wrong = explain("health", files("x.yaml", "apiVersion: v1\nkind: [\n"), code=2)
    assert "x.yaml" in wrong.stderr
    assert "file.unreadable" in explain("health", "/nonexistent.yaml", code=2).stderr
    explain("diff", "--desired", files("x.yaml", MAP), code=64)
