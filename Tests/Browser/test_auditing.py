"""The audit log: the list, its filters in the address, and one event beside it, by mouse and by keyboard."""

import re

import pytest
from playwright.sync_api import expect

from waiting import settled


def newest(server, kind):
    return max(key for key, one in server.data.events.items() if one["kind"] == kind)


def test_an_event_opens_beside_the_list_and_says_what_changed(fake, opened):
    server = fake()
    page = opened(server, "/audit", role="auditor")
    sequence = newest(server, "application.changed")
    page.get_by_role("link", name=f"#{sequence}", exact=True).click()
    pane = page.get_by_role("complementary", name="One event")
    expect(pane.locator(".sentence")).to_have_text("Ada Byron changed 3 fields of the specification – checkout.")
    expect(pane.get_by_role("heading", level=2)).to_be_focused()
    rows = pane.get_by_role("table", name="What changed").get_by_role("row")
    expect(rows).to_have_count(4)
    expect(rows.nth(1)).to_contain_text("/spec/source/targetRevision")
    expect(rows.nth(1).get_by_role("cell").first).to_have_text("− main")
    expect(rows.nth(1).get_by_role("cell").last).to_have_text("+ release")
    expect(rows.nth(2).get_by_role("cell").last).to_have_text("–")
    for text in ("192.0.2.7", "5f0c6d1c9d4b7a30b2d1e6aa", "252x7qtkdnj9", "ab" * 32):
        expect(pane).to_contain_text(text)
    pane.get_by_text("The entry").click()
    expect(pane.get_by_label("Entry")).to_contain_text(f'"sequence": {sequence}')
    assert page.url.endswith(f"/audit?event={sequence}")
    # The address leads there again.
    page.reload()
    expect(pane.locator(".sentence")).to_contain_text("changed 3 fields")
    expect(page.locator("tr.open")).to_have_count(1)
    pane.get_by_role("button", name="Close").click()
    expect(pane).to_be_hidden()
    assert page.url.endswith("/audit")
    expect(page.get_by_role("link", name=f"#{sequence}", exact=True)).to_be_focused()


def test_everything_is_done_by_keyboard(fake, opened):
    server = fake()
    page = opened(server, "/apps", role="auditor")
    settled(page)
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/audit")
    # The address changes before the screen does.
    page.get_by_role("heading", level=1, name="Audit log").wait_for()
    page.locator("[data-row]").first.wait_for()
    page.locator("h1").focus()
    page.keyboard.press("j")
    page.keyboard.press("j")
    link = page.locator("[data-row]").nth(1)
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    pane = page.get_by_role("complementary", name="One event")
    expect(pane.get_by_role("heading", level=2)).to_be_focused()
    page.keyboard.press("Escape")
    expect(pane).to_be_hidden()
    expect(link).to_be_focused()


def test_filters_are_the_address_and_keep_what_is_open(fake, opened):
    server = fake()
    page = opened(server, "/audit?outcome=refused", role="auditor")
    page.locator("[data-row]").first.wait_for()
    expect(page.locator("[data-row]")).to_have_count(sum(one["outcome"] == "refused" for one in server.data.events.values()))
    sequence = newest(server, "request.refused")
    page.get_by_role("link", name=f"#{sequence}", exact=True).click()
    expect(page.locator(".sentence")).to_contain_text("was refused: session.invalid 3 times")
    assert page.url.endswith(f"/audit?outcome=refused&event={sequence}")
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Action").select_option("application.created")
    expect(page.locator("[data-row]")).to_have_count(6)
    assert page.url.endswith(f"/audit?kind=application.created&event={sequence}")
    page.get_by_label("Who").fill("nobody")
    expect(page.locator("main")).to_contain_text("No event matches")


def test_links_to_the_old_address_lead_to_the_audit_log(fake, opened):
    page = opened(fake(), "/events", role="admin")
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit log")


def test_an_event_that_is_not_there_says_so_and_the_list_stays(fake, opened):
    page = opened(fake(), "/audit?event=999999", role="auditor")
    expect(page.get_by_role("complementary").get_by_role("alert")).to_contain_text("There is no event #999999")
    expect(page.locator("[data-row]").first).to_be_visible()


def test_new_events_wait_for_the_reader(fake, opened):
    server = fake()
    page = opened(server, "/audit?actor=Ada%20Byron", role="auditor")
    page.locator("[data-row]").first.wait_for()
    settled(page)
    before = page.locator("[data-row]").count()
    with server.lock:
        for actor in ("Ada Byron", "Grace Hopper"):
            event = server.data.add_event("pin.released", "guestbook", actor)
            server.publish("event", event, event["sequence"])
    page.get_by_role("button", name=re.compile("^1 new")).click()
    expect(page.locator("[data-row]")).to_have_count(before + 1)


@pytest.mark.parametrize("width", [1280, 320])
def test_the_event_is_beside_the_list_or_above_it(fake, opened, width):
    server = fake()
    page = opened(server, f"/audit?event={newest(server, 'application.changed')}", role="auditor", width=width)
    pane = page.get_by_role("complementary")
    pane.locator(".sentence").wait_for()
    settled(page)
    of_list, of_pane = page.locator(".split .list").bounding_box(), pane.bounding_box()
    if width == 320:
        assert of_pane["y"] + of_pane["height"] <= of_list["y"]
    else:
        assert of_list["x"] + of_list["width"] <= of_pane["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
