"""The Lease that a server leaves in a cluster, as the cluster's API shows it."""

import json
import os
import subprocess
import time
import urllib.request

import pytest
import yaml

GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "GIT_COMMITTER_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def address(server):
    config = yaml.safe_load((server.data / "sandbox" / "kubeconfig").read_text())
    url, user = config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]
    # It holds the token a second time, for clients that send none over plain http.
    url = "http://" + url.split("@")[-1].removeprefix("http://")
    return url + "/apis/coordination.k8s.io/v1/namespaces/default/leases", {"Authorization": "Bearer " + user["token"]}


def leases(server):
    url, headers = address(server)
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        return json.load(answer)["items"]


def give_to_another(server, lease):
    """As another server does that has seen it unchanged for its whole time."""
    url, headers = address(server)
    patch = {"spec": {"holderIdentity": "another", "renewTime": "2026-01-01T00:00:00.000000Z"}}
    request = urllib.request.Request(
        url + "/" + lease["metadata"]["name"], json.dumps(patch).encode(), method="PATCH",
        headers={**headers, "Content-Type": "application/merge-patch+json"})
    urllib.request.urlopen(request, timeout=30).close()


def git(repository, *arguments):
    subprocess.run(["git", "-C", repository, *arguments], check=True, env={**os.environ, **GIT}, capture_output=True)


def declare(tmp_path):
    """A repository with a ConfigMap, and an application that is synced by hand."""
    repository = tmp_path / "repository"
    (repository / "app").mkdir(parents=True)
    manifest = repository / "app" / "a.yaml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: one}\n")
    git(repository, "init", "--quiet", "-b", "main")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "-m", "first")
    application = tmp_path / "application.yaml"
    application.write_text(json.dumps({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
        "spec": {
            "project": "default", "source": {"repoURL": str(repository), "path": "app", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}}}))
    return repository, manifest, application


def test_a_server_takes_a_lease_before_it_writes_and_is_the_same_holder_after_a_crash(server, tmp_path):
    repository, manifest, application = declare(tmp_path)
    server.start()
    assert leases(server) == []
    server.run("app", "apply", "-f", application)
    server.run("app", "sync", "shop")
    [lease] = leases(server)
    log = server.log()
    assert lease["metadata"]["name"] == "shiplog-" + log["uid"]
    marks = lease["metadata"]["annotations"]
    assert (marks["shiplog.dev/ledger"], marks["shiplog.dev/epoch"]) == (log["uid"], "1")
    assert 0 < int(marks["shiplog.dev/log-size"]) <= log["size"] and marks["shiplog.dev/log-root"]
    holder = lease["spec"]["holderIdentity"]
    assert holder and lease["spec"]["leaseDurationSeconds"] == 60

    # Killed, and started again: nobody has to wait for a minute.
    server.running.process.kill()
    server.running.process.wait()
    server.start()
    manifest.write_text(manifest.read_text().replace("one", "two"))
    git(repository, "commit", "--quiet", "-am", "second")
    begun = time.monotonic()
    server.run("app", "sync", "shop")
    assert time.monotonic() - begun < 30
    [again] = leases(server)
    assert again["spec"]["holderIdentity"] == holder and again["spec"]["leaseTransitions"] == 0
    server.stop()
    server.start()
    [released] = leases(server)
    assert released["spec"].get("holderIdentity", "") == ""


def test_a_server_that_finds_anothers_name_in_its_lease_writes_nothing_more(server, tmp_path):
    repository, manifest, application = declare(tmp_path)
    server.start()
    server.run("app", "apply", "-f", application)
    server.run("app", "sync", "shop")
    [lease] = leases(server)
    give_to_another(server, lease)
    # The next renewal, at a third of the minute that its own last one was good for, shows it.
    time.sleep(21)
    manifest.write_text(manifest.read_text().replace("one", "two"))
    git(repository, "commit", "--quiet", "-am", "second")
    with pytest.raises(AssertionError, match="cluster.leased"):
        server.run("app", "sync", "shop")
    assert leases(server)[0]["spec"]["holderIdentity"] == "another"
