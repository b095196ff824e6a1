"""Any past moment, who changed what, and many applications back at once, against `shiplog demo`."""

import json
import shutil
import tempfile

import pytest

from test_cli import PROGRAM, Shiplog


@pytest.fixture(scope="module")
def shiplog():
    assert PROGRAM, "SHIPLOG_BIN must name the program: make test does"
    directory = tempfile.mkdtemp(prefix="shiplog-time-")
    server = None
    try:
        server = Shiplog(directory)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def syncs(shiplog):
    """The demo's syncs and rollbacks, oldest first."""
    found = shiplog.json("history", "--kind", "sync", "--kind", "rollback", "--reverse")["items"]
    assert len(found) >= 4
    return found


def test_a_row_shows_what_was_deployed_then(shiplog, syncs):
    first = syncs[0]
    state = shiplog.json("at", first["sequence"])
    assert state["at"]["sequence"] == first["sequence"]
    (one,) = state["items"]
    assert one["state"] == "whole" and one["deployed"]["sequence"] == first["sequence"]
    assert one["deployed"]["commit"] == first["source"]["commit"]["id"]
    assert one["deployed"]["desired"] == first["desired"]
    lines = shiplog.run("at", f"#{first['sequence']}").stdout.splitlines()
    assert lines[0].startswith(f"at #{first['sequence']}, recorded 20")
    assert lines[1].split() == ["APPLICATION", "PROJECT", "STATE", "REVISION", "COMMIT", "DEPLOYED", "BY", "HEALTH", "NOTE"]
    assert lines[2].split()[:5] == ["guestbook", "default", "whole", f"#{first['sequence']}", first["source"]["commit"]["id"][:7]]


def test_a_moment_means_the_last_row_recorded_by_then(shiplog, syncs):
    state = shiplog.json("at", syncs[1]["recordedAt"], "--app", "guestbook")
    assert state["at"]["sequence"] >= syncs[1]["sequence"]
    assert state["items"][0]["deployed"]["sequence"] == syncs[1]["sequence"]
    # A length of time ago, with its dash or without; this one lies before the demo.
    assert "before the first row" in shiplog.run("at", "-2h").stdout
    assert "before the first row" in shiplog.run("at", "2h").stdout
    assert shiplog.json("at", "now")["items"][0]["application"]["name"] == "guestbook"
    # A number with a dash is seconds ago, as everywhere; without one it is a row.
    assert "before the first row" in shiplog.run("at", "-7200").stdout


@pytest.mark.parametrize("code,arguments", [
    (64, ["at", "teatime"]), (64, ["at"]), (64, ["at", "0"]), (64, ["compare", "0", "now"]),
    (64, ["rollback", "plan", "--at", "0"]), (3, ["at", "999999"]), (3, ["at", "now", "--app", "nobody"]),
    (64, ["compare", "now"]), (3, ["compare", "999999", "now"]),
    (3, ["blame", "nobody", "Deployment/web"]), (3, ["blame", "guestbook", "Deployment/none"]),
    (64, ["blame", "guestbook", "Deployment"]), (64, ["rollback", "plan"]), (64, ["rollback", "apply", "plan.json"]),
    (2, ["rollback", "apply", "/dev/null", "--reason", "x"]), (3, ["rollback", "status", "1"]),
])
def test_exit_codes(shiplog, code, arguments):
    shiplog.run(*arguments, code=code)


def test_a_comparison_ends_with_1_when_something_differs(shiplog, syncs):
    first, second = syncs[0]["sequence"], syncs[1]["sequence"]
    done = shiplog.run("compare", first, second, code=1).stdout
    assert "changed" in done and f"#{first}" in done and f"#{second}" in done
    assert shiplog.run("compare", first, first).stdout.endswith("1 unchanged\n")
    items = json.loads(shiplog.run("compare", 1, second, "-o", "json", code=1).stdout)["items"]
    assert [one["change"] for one in items] == ["appeared"]


def test_blame_names_the_revision_a_field_came_with(shiplog, syncs):
    kinds = {one["kind"] for one in shiplog.json("app", "manifests", "guestbook", "--source", "deployed")["items"]}
    assert "Deployment" in kinds
    name = next(one["metadata"]["name"] for one in shiplog.json("app", "manifests", "guestbook", "--source", "deployed")["items"]
                if one["kind"] == "Deployment")
    # The third of the demo's commits brought the new image.
    image = "spec.template.spec.containers[0].image"
    broken = shiplog.json("blame", "guestbook", f"Deployment/{name}", image, "--at", syncs[2]["sequence"])
    assert broken["revision"]["sequence"] == syncs[2]["sequence"] and broken["change"] == "changed"
    assert broken["previousValue"] != broken["value"]
    # What the rollback brought back began with it.
    now = shiplog.json("blame", "guestbook", f"deployment.apps/{name}", image)
    assert now["revision"]["sequence"] == syncs[3]["sequence"] and now["revision"]["kind"] == "rollback"
    whole = shiplog.run("blame", "guestbook", f"Deployment/{name}", "--at", syncs[0]["sequence"]).stdout
    assert "created" in whole and f"#{syncs[0]['sequence']}" in whole
    shiplog.run("blame", "guestbook", f"Deployment/{name}", ".spec.nothing", code=3)
    shiplog.run("blame", "guestbook", f"Deployment/{name}", "a..b", code=2)


def test_a_plan_is_carried_out_once_and_refused_when_things_have_moved(shiplog, syncs, tmp_path):
    file = tmp_path / "plan.json"
    first = syncs[0]["sequence"]
    shown = shiplog.run("rollback", "plan", "--at", first, "-o", file).stdout
    assert "1 to be done" in shown
    plan = json.loads(file.read_text())
    assert plan["items"][0]["target"] == first and plan["items"][0]["action"] == "rollback"
    assert json.loads(shiplog.run("rollback", "plan", "--at", first, "-o", "json").stdout)["items"] == plan["items"]
    done = shiplog.json("rollback", "apply", file, "--reason", "the fair is over", "--ticket", "OPS-7")
    assert done["outcome"] == "succeeded" and done["items"][0]["result"] == "succeeded"
    revision = shiplog.json("show", done["items"][0]["revision"])
    assert revision["group"] == done["group"] and revision["reason"] == "the fair is over"
    assert revision["desired"] == syncs[0]["desired"]
    assert shiplog.json("rollback", "status", done["group"])["outcome"] == "succeeded"
    refused = shiplog.run("rollback", "apply", file, "--reason", "again", code=5)
    assert "plan.moved" in refused.stderr
    # Nothing is left to do; a plan that does nothing is refused as well.
    empty = tmp_path / "empty.json"
    assert "0 to be done" in shiplog.run("rollback", "plan", "--at", first, "-o", empty).stdout
    assert "plan.nothing-to-do" in shiplog.run("rollback", "apply", empty, "--reason", "x", code=5).stderr


def test_a_plan_offers_what_it_does_not_assume(shiplog, syncs):
    offered = shiplog.run("rollback", "plan", "--at", 1).stdout
    assert "offered: delete" in offered and "(--delete)" in offered and "0 to be done" in offered
    assert "1 to be done" in shiplog.run("rollback", "plan", "--at", 1, "--delete").stdout
    assert "no application is meant" in shiplog.run("rollback", "plan", "--at", syncs[0]["sequence"], "-l", "tier=none").stdout
