#!/usr/bin/env python3
"""A real kubectl against the sandbox, started as a process.

SHIPLOG_BIN names the binary (it is called as `$SHIPLOG_BIN sandbox --listen 127.0.0.1:0 --kubeconfig FILE`),
KUBECTL the kubectl to use. Run with: python3 test_kubectl.py
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ.get("SHIPLOG_BIN") or "shiplog"
KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl") or "kubectl"
MANIFESTS = pathlib.Path(__file__).resolve().parent / "manifests"


class Sandbox:
    """The server process, and kubectl pointed at it."""

    def __init__(self, *arguments):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sandbox-kubectl-"))
        self.kubeconfig = self.directory / "kubeconfig"
        self.process = subprocess.Popen(
            [BINARY, "sandbox", "--listen", "127.0.0.1:0", "--kubeconfig", str(self.kubeconfig), *arguments],
            stdout=subprocess.PIPE, text=True)
        while True:
            line = self.process.stdout.readline()
            if "listening on http://" in line:
                break
            if not line:
                raise RuntimeError("the sandbox ended before it listened")

    def run(self, *arguments, text=None, fails=False):
        """kubectl's answer; with `fails` the command must fail, and what it said is the answer."""
        environment = dict(os.environ, KUBECONFIG=str(self.kubeconfig), HOME=str(self.directory))
        result = subprocess.run(
            [KUBECTL, *arguments], input=text, capture_output=True, text=True, env=environment, timeout=90)
        if fails:
            assert result.returncode != 0, f"{arguments} succeeded: {result.stdout}"
            return result.stdout + result.stderr
        assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result.stdout

    def get(self, *arguments):
        return json.loads(self.run("get", *arguments, "-o", "json", "--show-managed-fields"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def until(condition, what, seconds=30):
    """Waits for a condition, and says what was missing if it never came."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


WEB = (MANIFESTS / "web.yaml").read_text()


class KubectlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sandbox = Sandbox()
        cls.kubectl = staticmethod(cls.sandbox.run)

    @classmethod
    def tearDownClass(cls):
        cls.sandbox.stop()

    def setUp(self):
        self.namespace = "t-" + self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")[:50]
        self.kubectl("apply", "--server-side", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}))

    def k(self, *arguments, **options):
        return self.sandbox.run("-n", self.namespace, *arguments, **options)

    def get(self, *arguments):
        return self.sandbox.get("-n", self.namespace, *arguments)

    def apply(self, text, *arguments, **options):
        return self.k("apply", "--server-side", "-f", "-", *arguments, text=text, **options)

    def test_version_and_resources_are_found(self):
        self.assertIn("Server Version", self.kubectl("version"))
        resources = self.kubectl("api-resources")
        for line in ["deploy", "CustomResourceDefinition", "horizontalpodautoscalers", "netpol"]:
            self.assertIn(line, resources)
        self.assertIn("apps/v1", self.kubectl("api-versions"))

    def test_get_prints_tables_and_objects(self):
        self.apply(WEB)
        self.k("rollout", "status", "deployment/web", "--timeout=30s")
        table = self.k("get", "deployments,services,configmaps,pods")
        self.assertIn("2/2", table)
        self.assertRegex(table, r"service/web\s+ClusterIP\s+10\.96\.\d+\.\d+\s+<none>\s+80/TCP")
        wide = self.k("get", "deployment", "web", "-o", "wide")
        self.assertIn("registry.example/web:1", wide)
        self.assertIn("app=web", wide)
        self.assertIn("kind: Deployment", self.k("get", "deployment", "web", "-o", "yaml"))
        deployment = self.get("deployment", "web")
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(container["resources"]["limits"]["cpu"], "1")
        self.assertEqual(container["terminationMessagePath"], "/dev/termination-log")
        self.assertEqual(self.k("get", "pods", "-l", "app in (web)", "-o", "name").count("pod/"), 2)
        self.assertEqual(self.k("get", "pods", "-l", "app!=web", "-o", "name"), "")
        self.assertEqual(self.k("get", "cm", "--field-selector", "metadata.name=settings", "-o", "name"),
                         "configmap/settings\n")
        self.assertIn("web", self.kubectl("get", "all", "-A"))
        described = self.k("describe", "deployment", "web")
        self.assertIn("ScalingReplicaSet", described)

    def test_server_side_apply_creates_changes_conflicts_and_takes_over(self):
        self.assertIn("serverside-applied", self.apply(WEB))
        before = self.get("deployment", "web")
        again = self.apply(WEB)
        self.assertIn("serverside-applied", again)
        self.assertEqual(self.get("cm", "settings")["metadata"]["resourceVersion"],
                         self.get("cm", "settings")["metadata"]["resourceVersion"])
        self.assertEqual(before["metadata"]["generation"], 1)
        other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"mode": "fancy"}}
        said = self.apply(json.dumps(other), "--field-manager=other", fails=True)
        self.assertIn('conflict with "kubectl" using v1: .data.mode', said)
        self.apply(json.dumps(other), "--field-manager=other", "--force-conflicts")
        settings = self.get("cm", "settings")
        self.assertEqual(settings["data"], {"mode": "fancy", "level": "1"})
        owners = {m["manager"]: m["fieldsV1"] for m in settings["metadata"]["managedFields"]}
        self.assertEqual(owners["other"], {"f:data": {"f:mode": {}}})
        self.assertNotIn("f:mode", owners["kubectl"].get("f:data", {}))
        # What an applier no longer names, and no one else owns, goes.
        other["data"] = {"extra": "yes"}
        self.apply(json.dumps(other), "--field-manager=other")
        self.assertEqual(self.get("cm", "settings")["data"], {"level": "1", "extra": "yes"})

    def test_client_side_apply_keeps_what_others_added(self):
        self.k("apply", "-f", "-", text=WEB)
        self.k("set", "env", "deployment/web", "ADDED=1")
        self.k("apply", "-f", "-", text=WEB.replace("web:1", "web:2").replace('level: "1"', ""))
        container = self.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(container["image"], "registry.example/web:2")
        self.assertEqual({e["name"] for e in container["env"]}, {"MODE", "ADDED"})
        self.assertEqual(self.get("cm", "settings")["data"], {"mode": "plain"})
        # From client-side to server-side: the fields change hands without a conflict.
        self.apply(WEB.replace("web:1", "web:3"))
        container = self.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(container["image"], "registry.example/web:3")

    def test_diff_shows_a_change_and_is_silent_without_one(self):
        self.apply(WEB)
        self.k("diff", "--server-side", "-f", "-", text=WEB)
        said = self.k("diff", "--server-side", "-f", "-", text=WEB.replace("web:1", "web:2"), fails=True)
        changed = [line for line in said.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        self.assertEqual([line.split()[1:] for line in changed],
                         [["generation:", "1"], ["generation:", "2"],
                          ["image:", "registry.example/web:1"], ["image:", "registry.example/web:2"]])
        self.assertEqual(self.get("deployment", "web")["metadata"]["generation"], 1)
        self.k("apply", "-f", "-", "--dry-run=server", text=WEB)

    def test_rollout_succeeds_and_goes_back(self):
        self.apply(WEB)
        self.assertIn("successfully rolled out", self.k("rollout", "status", "deployment/web", "--timeout=30s"))
        self.apply(WEB.replace("web:1", "web:2"))
        self.k("rollout", "status", "deployment/web", "--timeout=30s")
        self.assertIn("2", self.k("rollout", "history", "deployment/web"))
        self.k("rollout", "undo", "deployment/web")
        self.k("rollout", "status", "deployment/web", "--timeout=30s")
        image = self.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"]
        self.assertEqual(image, "registry.example/web:1")
        self.k("rollout", "restart", "deployment/web")
        self.k("rollout", "status", "deployment/web", "--timeout=30s")

    def test_broken_image_runs_into_the_deadline(self):
        self.apply(WEB)
        self.k("rollout", "status", "deployment/web", "--timeout=30s")
        self.apply(WEB.replace("web:1", "web:broken"))
        said = self.k("rollout", "status", "deployment/web", "--timeout=40s", fails=True)
        self.assertIn("exceeded its progress deadline", said)
        self.assertIn("ImagePullBackOff", self.k("get", "pods"))
        # The old pods went on serving.
        self.assertGreaterEqual(self.get("deployment", "web")["status"]["availableReplicas"], 1)
        self.apply(WEB)
        self.k("rollout", "status", "deployment/web", "--timeout=30s")

    def test_scale_label_annotate_patch(self):
        self.apply(WEB)
        self.k("scale", "deployment/web", "--replicas=3")
        self.k("wait", "deployment/web", "--for=jsonpath={.status.availableReplicas}=3", "--timeout=30s")
        self.k("label", "deployment/web", "tier=front")
        self.k("annotate", "deployment/web", "note=hello")
        self.k("label", "deployment/web", "tier-")
        metadata = self.get("deployment", "web")["metadata"]
        self.assertEqual(metadata["annotations"]["note"], "hello")
        self.assertNotIn("tier", metadata["labels"])
        self.k("patch", "deployment/web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":1}]')
        self.k("patch", "deployment/web", "--type=merge", "-p", '{"spec":{"minReadySeconds":0}}')
        self.k("patch", "deployment/web", "-p",
               '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:9"}]}}}}')
        spec = self.get("deployment", "web")["spec"]
        self.assertEqual(spec["replicas"], 1)
        self.assertEqual(spec["template"]["spec"]["containers"][0]["env"], [{"name": "MODE", "value": "plain"}])
        self.k("set", "image", "deployment/web", "web=registry.example/web:10")
        self.k("rollout", "status", "deployment/web", "--timeout=30s")

    def test_delete_cascades_as_asked(self):
        self.apply(WEB)
        self.k("rollout", "status", "deployment/web", "--timeout=30s")
        self.k("delete", "deployment", "web", "--cascade=orphan")
        self.assertEqual(self.k("get", "rs", "-o", "name").count("replicaset"), 1)
        self.apply(WEB)
        self.k("rollout", "status", "deployment/web", "--timeout=30s")
        self.assertEqual(self.k("get", "rs", "-o", "name").count("replicaset"), 1)
        self.k("delete", "deployment", "web", "--cascade=foreground", "--timeout=30s")
        self.assertEqual(self.k("get", "rs,pods", "-o", "name"), "")
        self.apply(WEB)
        self.k("rollout", "status", "deployment/web", "--timeout=30s")
        self.k("delete", "deployment", "web", "--timeout=30s")
        until(lambda: self.k("get", "rs,pods", "-o", "name") == "", "background deletion of the pods")
        self.k("delete", "cm,svc", "-l", "app=web", "--timeout=30s")
        self.assertEqual(self.k("get", "svc", "-o", "name"), "")

    def test_namespace_takes_its_content_with_it(self):
        self.apply(WEB)
        self.kubectl("delete", "namespace", self.namespace, "--timeout=30s")
        self.assertIn("NotFound", self.kubectl("get", "namespace", self.namespace, fails=True))
        self.assertIn("not found", self.apply(WEB, fails=True))

    def test_watch_sees_changes(self):
        environment = dict(os.environ, KUBECONFIG=str(self.sandbox.kubeconfig), HOME=str(self.sandbox.directory))
        output = self.sandbox.directory / "watch.txt"
        with output.open("w") as file:
            watch = subprocess.Popen(
                [KUBECTL, "-n", self.namespace, "get", "cm", "-w", "--output-watch-events"], stdout=file,
                env=environment)
        try:
            until(lambda: "kube-root-ca.crt" in output.read_text(), "the first listing")
            self.apply(WEB)
            self.k("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"more":"yes"}}')
            self.k("delete", "cm", "settings")
            until(lambda: all(f"{v} " in output.read_text().replace("\t", " ") for v in ("ADDED", "MODIFIED", "DELETED"))
                  and output.read_text().count("settings") >= 3, "three events of one ConfigMap")
        finally:
            watch.terminate()
            watch.wait()

    def test_wait_for_conditions_and_deletion(self):
        self.apply(WEB)
        self.k("wait", "deployment/web", "--for=condition=Available", "--timeout=30s")
        self.k("wait", "pod", "-l", "app=web", "--for=condition=Ready", "--timeout=30s")
        self.k("delete", "deployment", "web", "--wait=false")
        self.k("wait", "deployment/web", "--for=delete", "--timeout=30s")

    def test_explain_describes_fields(self):
        said = self.kubectl("explain", "deployment.spec.strategy.rollingUpdate")
        self.assertIn("maxSurge", said)
        self.assertIn("<IntOrString>", said)
        self.assertIn("<[]Container> -required-", self.kubectl("explain", "pod.spec"))

    def test_custom_kinds_are_served(self):
        self.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "crontab-crd.yaml"))
        self.kubectl("wait", "crd/crontabs.stable.example.com", "--for=condition=Established", "--timeout=20s")
        tab = {"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "one"},
               "spec": {"cronSpec": "* * * * *", "steps": [{"name": "a", "run": "x"}]}}
        self.apply(json.dumps(tab))
        self.assertIn("* * * * *", self.k("get", "ct"))
        more = dict(tab, spec={"cronSpec": "* * * * *", "steps": [{"name": "b", "run": "y"}]})
        self.apply(json.dumps(more), "--field-manager=second")
        live = self.get("crontab", "one")
        self.assertEqual([s["name"] for s in live["spec"]["steps"]], ["a", "b"])
        self.assertEqual(live["spec"]["replicas"], 1)
        self.k("scale", "crontab/one", "--replicas=4")
        self.assertEqual(self.get("crontab", "one")["spec"]["replicas"], 4)
        said = self.apply(json.dumps(dict(tab, spec={"replicas": 1})), "--field-manager=third", "--force-conflicts",
                          "--validate=false")
        self.assertIn("serverside-applied", said)
        said = self.apply(json.dumps(dict(tab, metadata={"name": "two"}, spec={"replicas": 1})), fails=True)
        self.assertIn("spec.cronSpec: Required value", said)
        self.assertIn("cronSpec", self.kubectl("explain", "crontab.spec"))
        self.kubectl("delete", "crd", "crontabs.stable.example.com", "--timeout=20s")
        # Gone with its objects: kubectl may still have the kind's name in its cache.
        self.k("get", "crontabs", fails=True)

    def test_errors_are_the_api_servers(self):
        self.apply(WEB)
        said = self.apply(WEB.replace("matchLabels: {app: web}", "matchLabels: {app: x}")
                          .replace("labels: {app: web}}\n    spec", "labels: {app: x}}\n    spec"), fails=True)
        self.assertIn("field is immutable", said)
        said = self.apply(WEB.replace("replicas: 2", "replicas: two"), fails=True)
        self.assertIn("replicas", said)
        said = self.apply(WEB.replace("replicas: 2", "replicaz: 2"), fails=True)
        self.assertIn("field not declared in schema", said)
        said = self.k("apply", "-f", "-", text=WEB.replace("replicas: 2", "replicaz: 2"), fails=True)
        self.assertIn('unknown field "spec.replicaz"', said)
        said = self.apply('{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"},"spec":{}}', fails=True)
        self.assertIn("spec.selector: Required value", said)

    def test_everything_becomes_what_it_should(self):
        self.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "everything.yaml"))
        k = lambda *a: self.kubectl("-n", "all", *a)
        k("rollout", "status", "deployment/a", "--timeout=30s")
        k("rollout", "status", "statefulset/db", "--timeout=30s")
        k("rollout", "status", "daemonset/agent", "--timeout=30s")
        k("wait", "job/once", "--for=condition=Complete", "--timeout=30s")
        k("wait", "pod/single", "--for=condition=Ready", "--timeout=30s")
        k("wait", "pvc", "--all", "--for=jsonpath={.status.phase}=Bound", "--timeout=30s")
        k("wait", "hpa/a", "--for=condition=AbleToScale", "--timeout=30s")
        k("wait", "service/front", "--for=jsonpath={.status.loadBalancer.ingress[0].ip}", "--timeout=30s")
        k("wait", "ingress/front", "--for=jsonpath={.status.loadBalancer.ingress[0].ip}", "--timeout=30s")
        self.kubectl("wait", "apiservice/v1.all.example.com", "--for=condition=Available", "--timeout=30s")
        get = lambda *a: self.sandbox.get("-n", "all", *a)
        self.assertEqual(get("pvc", "data")["spec"]["resources"]["requests"]["storage"], "1Gi")
        self.assertEqual(get("secret", "secret")["data"], {"password": "bGV0bWVpbg=="})
        self.assertNotIn("stringData", get("secret", "secret"))
        addresses = get("endpoints", "front")["subsets"][0]["addresses"]
        self.assertEqual(len(addresses), 1)
        # A second apply of the same changes nothing.
        names = ["deployment/a", "statefulset/db", "cronjob/nightly", "hpa/a", "ingress/front", "pvc/data"]
        before = [get(n)["metadata"]["generation"] if "generation" in get(n)["metadata"] else 0 for n in names]
        self.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "everything.yaml"))
        after = [get(n)["metadata"]["generation"] if "generation" in get(n)["metadata"] else 0 for n in names]
        self.assertEqual(before, after)
        self.kubectl("diff", "--server-side", "-f", str(MANIFESTS / "everything.yaml"))
        self.kubectl("delete", "-f", str(MANIFESTS / "everything.yaml"), "--timeout=60s",
                     "--ignore-not-found")


if __name__ == "__main__":
    unittest.main(verbosity=2)
