"""The page before the real server: `shiplog demo`, after its story. The tests run in the order in which they stand."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

from waiting import live, rows, sequences, until

pytestmark = pytest.mark.demo


def api(demo, path):
    with urllib.request.urlopen(demo.url + "/api/shiplog/v1" + path, timeout=30) as answer:
        return json.load(answer)


def history(demo):
    return api(demo, "/revisions?application=guestbook&limit=50")["items"]


def sign_in(page, demo):
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_label("Token").fill(demo.token("admin"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/apps/guestbook")


def test_the_story_is_on_the_timeline(demo, opened, axe, picture):
    page = opened(demo, "/apps")
    expect(rows(page)).to_have_count(1)
    expect(page.locator("main")).to_contain_text("guestbook")
    page.get_by_role("link", name="guestbook").first.click()
    page.wait_for_url("**/apps/guestbook")
    rows(page)
    told = history(demo)
    until(lambda: sequences(page) == [one["sequence"] for one in told], "the page shows the ledger's rows")
    assert {one["kind"] for one in told} >= {"sync", "rollback"}
    axe(page, "the timeline of the demo")
    picture(page, "demo-timeline")


def test_a_page_that_is_opened_again_comes_from_the_browsers_copy_and_works(demo, opened):
    page = opened(demo, "/apps/guestbook")
    rows(page)
    # The same browser asks whether its copy is still good; the answer without a body must not take the page's policy.
    page.goto(demo.url + "/apps/guestbook")
    rows(page)
    page.reload()
    rows(page)


def test_an_application_that_is_not_there_is_an_error_and_nothing_else(demo, opened):
    page = opened(demo, "/apps/nobody")
    expect(page.locator("main")).to_contain_text("not found")
    expect(page.get_by_role("navigation", name="Parts of nobody")).to_have_count(0)
    expect(page.locator("main")).not_to_contain_text("Nothing has happened yet")


def test_a_revision_tells_its_commit_its_reason_and_its_difference(demo, opened, axe):
    rollback = next(one for one in history(demo) if one["kind"] == "rollback")
    page = opened(demo, f"/revisions/{rollback['sequence']}")
    page.locator(".diff").first.wait_for()
    main = page.locator("main")
    expect(main).to_contain_text(rollback["reason"])
    expect(main).to_contain_text(rollback["source"]["commit"]["id"][:7])
    expect(main).to_contain_text("Deployment")
    axe(page, "the revision of the demo's rollback")


def test_a_row_is_proven_in_the_browser_and_a_forged_answer_is_not(demo, opened, axe, picture):
    rollback = next(one for one in history(demo) if one["kind"] == "rollback")
    page = opened(demo, f"/revisions/{rollback['sequence']}")
    expect(page.locator("#foot")).to_contain_text("Log signed to #")
    page.locator("details[data-proof] summary").click()
    page.get_by_role("button", name="Verify in this browser").click()
    checks = page.get_by_label("What was checked").get_by_role("listitem")
    expect(checks).to_have_count(4)
    expect(page.get_by_label("What was checked").get_by_label("right")).to_have_count(4)
    axe(page, "the proof of a row")
    picture(page, "demo-proof")
    # The same page before a server that changed the entry.
    page.route(f"**/entries/{rollback['sequence']}", lambda route: route.fulfill(
        status=200, content_type="application/json", body='{"forged":true}'))
    page.get_by_role("button", name="Verify in this browser").click()
    expect(page.get_by_label("What was checked").get_by_label("wrong")).to_have_count(2)


def test_a_person_signs_in_and_rolls_back_with_the_difference_first(demo, opened, picture):
    before = history(demo)
    page = opened(demo, "/apps/guestbook")
    rows(page)
    assert page.get_by_role("link", name="Rollback…").count() == 0, "nobody is signed in yet"
    sign_in(page, demo)
    page.locator(".acts").get_by_text("Rollback…").click()
    page.wait_for_url("**/rollback")
    choices = page.locator("input[name=target]:not(:disabled)")
    choices.first.wait_for()
    # The oldest that may be chosen: the first version.
    values = choices.evaluate_all("all => all.map((one) => Number(one.value))")
    target = min(values)
    page.locator(f"input[name=target][value='{target}']").check()
    button = page.get_by_role("button", name=f"Roll back to #{target}")
    page.locator(".plan .diff").first.wait_for()
    page.get_by_label("Reason").fill("tried from the page")
    expect(button).to_be_enabled()
    picture(page, "demo-rollback")
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    page.wait_for_url("**/revisions/*")
    expect(page.locator("main")).to_contain_text("tried from the page")
    after = history(demo)
    assert [one["sequence"] for one in after if one["sequence"] > before[0]["sequence"] and one["kind"] == "rollback"]
    done = next(one for one in after if one["kind"] == "rollback")
    assert done["outcome"] == "succeeded" and done["reason"] == "tried from the page"
    wanted = next(one for one in after if one["sequence"] == target)
    assert done["desired"] == wanted["desired"], "the same manifests, bit for bit"


def test_a_commit_is_announced_on_an_open_page(demo, opened):
    page = live(opened(demo, "/apps/guestbook", role="admin"))
    before = sequences(page)
    repository = api(demo, "/applications/guestbook")["source"]["repository"]
    repository = re.sub(r"^file://", "", repository)
    git = ["git", "-C", repository, "-c", "user.name=Grace", "-c", "user.email=grace@example.org"]
    (Path(repository) / "guestbook" / "motd.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: motd}\ndata: {text: good morning}\n")
    subprocess.run(git + ["add", "-A"], check=True)
    subprocess.run(git + ["commit", "-q", "-m", "Say good morning"], check=True)
    page.get_by_role("button", name="Refresh").click()
    announced = page.get_by_role("button", name=re.compile(r"\d+ new"))
    announced.wait_for()
    assert sequences(page) == before, "no row moves under the reader"
    announced.click()
    expect(page.locator("main")).to_contain_text("Say good morning")


def test_the_time_machine_shows_a_past_row_and_brings_it_back(demo, opened, axe, picture):
    first = min((one for one in history(demo) if one["kind"] == "sync" and one["outcome"] == "succeeded"), key=lambda one: one["sequence"])
    page = opened(demo, f"/at?row={first['sequence']}", role="admin")
    rows(page).first.wait_for()
    main = page.locator("main")
    expect(main).to_contain_text(f"As of row #{first['sequence']}")
    expect(main).to_contain_text(first["source"]["commit"]["id"][:7])
    axe(page, "the time machine of the demo")
    picture(page, "demo-time-machine")
    page.get_by_role("button", name="Plan a rollback to this moment").click()
    page.locator("table.fleet").wait_for()
    page.get_by_label("Reason (required)").fill("tried from the time machine")
    page.get_by_role("button", name="Roll back 1 application").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type").fill("guestbook")
    dialog.get_by_role("button", name="Roll back").click()
    page.wait_for_url("**/at?fleet=*")
    until(lambda: main.locator(".summary").inner_text().startswith("Succeeded"), "the rollback ends", 60)
    done = next(one for one in history(demo) if one["kind"] == "rollback")
    assert done["reason"] == "tried from the time machine" and done["desired"] == first["desired"]
    group = int(page.url.split("=")[1])
    assert api(demo, f"/revisions/{done['sequence']}")["group"] == group
    page.goto(demo.url + f"/at?row={first['sequence']}")
    expect(main).to_contain_text("What was deployed then is what is deployed now")


def test_the_audit_log_tells_of_a_change_before_and_after(demo, opened, axe, picture):
    context_page = opened(demo, "/apps", role="admin")
    context_page.locator("[data-row]").first.wait_for()
    events = api_as(context_page, demo, "/events?kind=application.created&application=guestbook")["items"]
    context_page.goto(demo.url + f"/audit?event={events[0]['sequence']}")
    pane = context_page.get_by_role("complementary", name="One event")
    expect(pane.locator(".sentence")).to_contain_text("made the application – guestbook")
    expect(pane.get_by_role("table", name="What changed")).to_contain_text("/spec/source/repoURL")
    pane.get_by_text("The entry").click()
    expect(pane.get_by_label("Entry")).to_contain_text('"kind":"application.created"')
    expect(context_page.locator(".events")).to_contain_text("configuration.loaded")
    expect(context_page.locator(".events")).to_contain_text("signed in")
    axe(context_page, "the audit log of the demo")
    picture(context_page, "demo-audit")


def api_as(page, demo, path):
    return page.request.get(demo.url + "/api/shiplog/v1" + path).json()
