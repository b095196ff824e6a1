"""The evidence card of the events page: what is counted, what is asked of the server, and the file that comes of it."""

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize(("role", "offered"), [("auditor", 1), ("admin", 1)])
def test_the_card_counts_with_the_filters_of_the_page(fake, opened, role, offered):
    server = fake()
    page = opened(server, "/events?kind=pin.set", role=role)
    card = page.get_by_role("region", name="Evidence")
    card.get_by_role("button", name="Count what matches").click()
    expect(card).to_contain_text("0 gaps")
    expect(card).to_contain_text("root qqqqqqqqqqqq…")
    expect(card).to_contain_text("self-attested")
    asked = [body for method, path, body in server.requests if path.endswith("/exports/population")]
    assert asked == [{"kind": ["pin.set"]}]


def test_a_pack_is_saved_under_the_name_that_the_server_gives(fake, opened):
    server = fake()
    page = opened(server, "/events", role="auditor")
    page.get_by_label("Application").fill("guestbook")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export evidence pack…").click()
    assert download.value.suggested_filename == f"shiplog-0fake-1-{server.data.sequence}.zip"
    with open(download.value.path(), "rb") as file:
        assert file.read(4) == b"PK\x05\x06"
    expect(page.get_by_role("region", name="Evidence")).to_contain_text("shiplog ledger verify")
    asked = [body for method, path, body in server.requests if path.endswith("/exports")]
    assert asked == [{"application": ["guestbook"], "format": "pack"}]


def test_what_the_server_refuses_is_said(fake, opened):
    server = fake()
    page = opened(server, "/events", role="auditor")
    page.locator(".events").wait_for()
    server.fault("POST", r"/exports$", 503, "evidence.busy")
    page.get_by_role("button", name="Export evidence pack…").click()
    expect(page.get_by_role("region", name="Evidence").get_by_role("alert")).to_contain_text("evidence.busy")


def test_whoever_does_not_audit_sees_no_card(fake, opened):
    server = fake()
    page = opened(server, "/events", role="deployer")
    page.get_by_role("alert").wait_for()
    expect(page.get_by_role("region", name="Evidence")).to_have_count(0)
