"""Projects and sync windows as a person types them, against `shiplog demo`; and `explain window` on files."""

import json
import os
import subprocess

import pytest

from test_cli import PROGRAM, application, repository, shiplog  # noqa: F401  (fixtures)

PROJECT = """apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: team}
spec:
  description: A team of two
  sourceRepos: ["*"]
  destinations: [{server: "*", namespace: "*"}]
  clusterResourceWhitelist: [{group: "*", kind: "*"}]
  syncWindows:
"""
ALWAYS = '  - {kind: deny, schedule: "* * * * *", duration: 1h, applications: [second]}\n'
NIGHT = '  - {kind: allow, schedule: "0 22 * * *", duration: 2h, timeZone: Europe/Amsterdam, namespaces: [second]}\n'


def test_a_project_is_made_looked_at_and_left_alone_when_nothing_changes(shiplog):
    listed = shiplog.json("project", "list")["items"]
    assert [item["name"] for item in listed] == ["default"] and listed[0]["registered"] is False
    assert "built in" in shiplog.run("project", "list").stdout
    text = PROJECT + ALWAYS
    assert shiplog.run("project", "apply", "-f", "-", text=text).stdout == "project/team created\n"
    assert shiplog.run("project", "create", "-f", "-", text=text).stdout == "project/team unchanged\n"
    assert shiplog.run("project", "apply", "-f", "-", text=text + NIGHT).stdout == "project/team configured\n"
    assert "A team of two" in shiplog.run("project", "get", "team").stdout
    assert shiplog.json("project", "get", "team")["document"]["spec"]["syncWindows"][0]["kind"] == "deny"


def test_a_window_that_denies_refuses_a_sync_and_is_set_aside_with_a_reason(shiplog, repository):
    path, commit = repository
    commit("one", "one")
    shiplog.run("app", "apply", "-f", "-", text=application(path, project="team"))
    windows = shiplog.json("project", "windows", "team")
    assert windows["applications"][0]["permission"] == "denied"
    assert "deny" in shiplog.run("project", "windows", "team", "--at", "2026-12-24 20:00").stdout
    refused = shiplog.run("app", "sync", "second", code=5)
    assert "window.closed" in refused.stderr
    shiplog.run("app", "sync", "second", "--override-window", "--reason", "the shop is down")
    event = shiplog.json("events", "--kind", "policy.overridden")["items"][0]
    assert event["application"]["name"] == "second" and event["reason"] == "the shop is down"


def test_a_project_that_applications_name_stays(shiplog):
    assert "project.in-use" in shiplog.run("project", "delete", "team", "--yes", code=5).stderr
    assert "project.default-stays" in shiplog.run("project", "delete", "default", "--yes", code=5).stderr


def test_a_change_of_a_window_is_told_field_by_field(shiplog):
    changed = shiplog.json("events", "--kind", "project.changed")["items"][0]
    shown = shiplog.run("show", str(changed["sequence"])).stdout
    assert "/spec/syncWindows" in shown


@pytest.fixture
def files(tmp_path):
    project = tmp_path / "project.yaml"
    project.write_text(PROJECT + NIGHT)
    app = tmp_path / "application.yaml"
    app.write_text("""apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: second}
spec:
  source: {repoURL: 'https://git.example.com/a.git', path: p}
  destination: {server: 'https://kubernetes.default.svc', namespace: second}
""")
    return project, app


def explain(*arguments, code=0):
    done = subprocess.run(
        [PROGRAM, "explain", "window", *map(str, arguments)], env={"PATH": os.environ["PATH"]}, capture_output=True,
        text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize("at,permission,changes", [
    ("2026-11-28T20:59:59Z", "denied", "2026-11-28T21:00:00.000Z"),
    ("2026-11-28T21:00:00Z", "allowed", "2026-11-28T23:00:00.000Z"),
    ("2026-07-01T20:00:00Z", "allowed", "2026-07-01T22:00:00.000Z"),
])
def test_explain_window_needs_no_server(files, at, permission, changes):
    project, app = files
    answer = json.loads(explain("-f", project, "--app", app, "--at", at, "-o", "json").stdout)
    assert answer["applications"][0]["permission"] == permission
    assert answer["applications"][0]["changesAt"] == changes
    assert permission in explain("-f", project, "--app", app, "--at", at).stdout


def test_explain_window_says_what_is_wrong_with_a_file(files):
    project, _ = files
    project.write_text(PROJECT + '  - {kind: deny, schedule: "61 * * * *", duration: 1h, applications: ["*"]}\n')
    refused = subprocess.run([PROGRAM, "explain", "window", "-f", str(project)], capture_output=True, text=True)
    assert refused.returncode != 0
    assert "window.schedule-invalid" in refused.stderr and "project.yaml:10" in refused.stderr
