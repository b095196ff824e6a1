"""Finding one's way: addresses, filters, keys, focus, and the states of a screen."""

import pytest
from playwright.sync_api import expect

from waiting import rows, sequences, settled


def test_filters_are_the_address_and_survive_a_reload(fake, opened):
    server = fake()
    page = opened(server, "/history")
    rows(page).first.wait_for()
    page.get_by_label("Kind").select_option("rollback")
    page.get_by_label("Application").fill("guestbook")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(server.url + "/history?kind=rollback&application=guestbook")
    page.reload()
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_label("Kind")).to_have_value("rollback")
    expect(page.get_by_label("Application")).to_have_value("guestbook")
    page.get_by_role("button", name="Clear filters").click()
    expect(page).to_have_url(server.url + "/history")
    assert rows(page).count() > 1


@pytest.mark.parametrize("query", ["outcome=failed", "cause=self-heal", "actor=Ada+Byron", "commit=b846fbb", "from=2000-01-01T00%3A00%3A00Z&to=2001-01-01T00%3A00%3A00Z",
                                   "includeUnchanged=true", "kind=sync&outcome=succeeded&cause=manual"])
def test_each_filter_of_a_permalink_reaches_the_server(fake, opened, query):
    server = fake()
    page = opened(server, "/history?" + query)
    settled(page)
    page.locator(".timeline, .empty").first.wait_for()
    asked = [path for _, path, _ in server.requests if "/revisions?" in path][0]
    assert all(part in asked for part in query.split("&"))
    assert page.url == server.url + "/history?" + query


def test_unchanged_reconciles_are_hidden_until_asked_for(fake, opened):
    server = fake()
    page = opened(server, "/history")
    rows(page).first.wait_for()
    assert page.locator(".timeline .icon-reconcile").count() == 1
    page.get_by_label("Unchanged reconciles too").check()
    expect(page).to_have_url(server.url + "/history?includeUnchanged=true")
    expect(page.locator(".timeline .icon-reconcile")).to_have_count(5)


def test_a_permalink_of_a_revision_stays_true_after_much_has_happened(fake, opened):
    server = fake()
    page = opened(server, "/revisions/40")
    page.locator(".lead").wait_for()
    sentence = page.locator(".lead").inner_text()
    for number in range(200):
        server.happen("guestbook", 5 + number % 50)
    page.reload()
    page.locator(".lead").wait_for()
    assert page.locator(".lead").inner_text() == sentence


def test_load_older_goes_to_the_beginning_without_repeats(fake, opened):
    server = fake(size=160)
    page = opened(server, "/apps/guestbook")
    rows(page).first.wait_for()
    while page.get_by_role("button", name="Load older").count():
        count = rows(page).count()
        page.get_by_role("button", name="Load older").click()
        expect(rows(page)).not_to_have_count(count)
    shown = sequences(page)
    expected = sorted((key for key, one in server.data.revisions.items() if one["application"]["name"] == "guestbook"), reverse=True)
    assert shown == expected
    page.get_by_text("This is the beginning").wait_for()


def test_leaving_the_search_asks_nothing_again_and_a_slow_answer_leaves_the_focus(fake, opened):
    server = fake()
    page = opened(server, "/apps")
    rows(page).first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("guest")
    expect(rows(page)).to_have_count(1)
    settled(page)
    server.delay = 1.0
    asked = len([path for _, path, _ in server.requests if "/applications?" in path])
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    row = page.get_by_role("link", name="guestbook")
    expect(row).to_be_focused()
    page.wait_for_timeout(400)
    assert len([path for _, path, _ in server.requests if "/applications?" in path]) == asked
    expect(page.get_by_label("Search")).to_have_value("guest")
    # The list is taken again while the reader stands on a row: it stays until the new one is there.
    page.get_by_label("Sync").evaluate("one => { one.value = 'Synced'; one.dispatchEvent(new Event('change')); }")
    expect(page.locator("[aria-busy=true]")).to_have_count(1)
    page.wait_for_timeout(400)
    expect(row).to_be_focused()


def test_keys_find_move_open_and_go_up(fake, opened):
    server = fake()
    page = opened(server, "/apps")
    rows(page).first.wait_for()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("guest")
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="guestbook")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/apps/guestbook")
    # Not any row: the address changes before the list's own rows have gone.
    page.locator(".timeline [data-row]").first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows(page).nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(rows(page).nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/revisions/*")
    page.locator(".lead").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url("**/apps/guestbook")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url("**/history")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/apps")


def test_keys_can_be_switched_off(fake, opened):
    page = opened(fake(), "/apps")
    rows(page).first.wait_for()
    page.keyboard.press("?")
    page.get_by_label("Single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.locator("h1").focus()
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(page.locator("h1")).to_be_focused()
    assert page.get_by_role("dialog").count() == 0
    page.reload()
    rows(page).first.wait_for()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).not_to_be_focused()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.get_by_label("Single-key shortcuts")).not_to_be_checked()


def test_keys_are_silent_in_fields_and_with_modifiers(fake, opened):
    page = opened(fake(), "/apps")
    rows(page).first.wait_for()
    page.get_by_label("Search").focus()
    page.keyboard.type("j?/gh")
    expect(page.get_by_label("Search")).to_have_value("j?/gh")
    page.get_by_label("Search").fill("")
    page.locator("h1").focus()
    page.keyboard.press("Alt+j")
    expect(page.locator("h1")).to_be_focused()


def test_no_single_key_changes_anything(fake, opened):
    server = fake()
    page = opened(server, "/apps/guestbook", role="admin")
    rows(page).first.wait_for()
    for key in "abcdefhilmnopqrstuvwxyz0123456789.,;-":
        page.keyboard.press(key)
    assert [method for method, path, _ in server.requests if method != "GET" and not path.endswith("/session")] == []


def test_the_skip_link_leads_past_the_bar(fake, opened):
    page = opened(fake(), "/apps")
    rows(page).first.wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_focused()


def test_a_new_screen_takes_the_focus_and_the_title(fake, opened):
    page = opened(fake(), "/apps")
    rows(page).first.wait_for()
    page.get_by_role("link", name="History").click()
    expect(page.locator("h1")).to_be_focused()
    expect(page).to_have_title("History · Shiplog")
    rows(page).nth(2).click()
    page.wait_for_url("**/revisions/*")
    page.locator(".lead").wait_for()
    expect(page.locator("h1")).to_be_focused()
    page.go_back()
    expect(page.locator("h1")).to_have_text("History")


def test_what_needs_a_person_comes_first(fake, opened):
    page = opened(fake(), "/apps")
    rows(page).first.wait_for()
    assert page.locator(".apps .name").all_inner_texts() == ["payments-api", "guestbook", "checkout", "docs", "search-indexer", "storefront"]
    group = page.locator(".apps tbody").first
    expect(group).to_contain_text("Needs attention (3)")
    expect(group).to_contain_text("pinned to #")
    expect(group).to_contain_text("the last attempt failed")


def test_the_two_empty_states_differ(fake, opened):
    nothing = opened(fake(empty=True), "/apps")
    nothing.get_by_role("heading", name="No application yet").wait_for()
    expect(nothing.locator(".empty")).to_contain_text("shiplog app apply")
    none_match = opened(fake(), "/apps?q=nothing-like-it")
    none_match.get_by_role("heading", name="No application matches").wait_for()
    none_match.locator(".empty button").click()
    assert rows(none_match).count() == 6


def test_an_application_that_is_not_there_says_so(fake, opened):
    page = opened(fake(), "/apps/nothing")
    alert = page.get_by_role("alert").first
    alert.wait_for()
    expect(alert).to_contain_text("application.not-found")
    expect(alert).to_contain_text("What to do")
    expect(alert).to_contain_text("req-")


def test_a_failing_server_is_told_with_code_and_remedy_and_can_be_tried_again(fake, opened):
    server = fake()
    server.fault("GET", r"/applications\?", 503, "ledger.full")
    page = opened(server, "/apps")
    alert = page.get_by_role("alert")
    alert.wait_for()
    expect(alert).to_contain_text("ledger.full")
    expect(alert).to_contain_text("What to do")
    server.faults.clear()
    page.get_by_role("button", name="Try again").click()
    assert rows(page).first.inner_text()


def test_an_unreachable_server_is_told(fake, opened):
    server = fake()
    page = opened(server, "/apps")
    rows(page).first.wait_for()
    server.fault("GET", r"/revisions\?", None)
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")


def test_a_revision_tells_its_story(fake, opened):
    server = fake()
    number, revision = max((key, one) for key, one in server.data.revisions.items() if one["kind"] == "rollback")
    page = opened(server, f"/revisions/{number}")
    lead = page.locator(".lead")
    lead.wait_for()
    for word in ("Ada Byron rolled guestbook back to", f"#{revision['rolledBackTo']}", "by hand", "2 updated", "it succeeded", "synced and healthy"):
        expect(lead).to_contain_text(word)
    for word in ("pods of the distroless image crash on start", "OPS-1182", "until-new-commit", revision["desired"], revision["digest"]):
        expect(page.locator("main")).to_contain_text(word)
    page.locator(".diff").first.wait_for()
    assert page.locator(".lines tr.added mark").count() >= 1
    entry = page.get_by_role("link", name="the stored bytes")
    assert entry.get_attribute("href") == f"/api/shiplog/v1/entries/{number}"
    page.get_by_label("against").select_option("live")
    expect(page).to_have_url(f"{server.url}/revisions/{number}?against=live")
    page.get_by_label("against").select_option("other")
    page.get_by_label("Number of the other revision").fill("12")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/revisions/{number}?against=12")
    page.reload()
    expect(page.get_by_label("Number of the other revision")).to_have_value("12")
    page.locator("summary", has_text="Manifests").click()
    expect(page.locator(".more-manifests")).to_contain_text("ConfigMap")


def test_a_failed_revision_says_why_and_what_to_do(fake, opened):
    server = fake()
    number = max(key for key, one in server.data.revisions.items() if one["outcome"] == "failed")
    page = opened(server, f"/revisions/{number}")
    panel = page.locator(".problem")
    panel.wait_for()
    for word in ("spec.selector cannot be changed", "What to do", "cluster.field-immutable"):
        expect(panel).to_contain_text(word)
    expect(page.locator(".changes")).to_contain_text("Skipped")


def test_manifests_read_as_yaml(fake, opened):
    page = opened(fake(), "/apps/guestbook/manifests")
    page.locator(".yaml").first.wait_for()
    text = page.locator(".yaml").nth(1).inner_text()
    assert "kind: Service\n" in text and "  - name: http\n    port: 80\n" in text
    page.get_by_label("Show").select_option("document")
    expect(page.locator(".yaml")).to_have_count(1)
    expect(page.locator(".yaml")).to_contain_text("targetRevision: main")
    page.reload()
    expect(page.get_by_label("Show")).to_have_value("document")


def test_an_automatic_rollback_is_told_apart_with_its_reason(fake, opened):
    server = fake()
    bad = server.happen("guestbook", 6, health="Degraded")
    back = server.happen(
        "guestbook", 5, kind="rollback", cause="unhealthy", rolled_back_to=40,
        reason=f"#{bad['sequence']} did not become Healthy within 10m: it is Degraded")
    back["reactsTo"] = bad["sequence"]
    page = opened(server, "/history?kind=rollback&cause=unhealthy")
    settled(page)
    row = page.locator("tr.back").first
    expect(row).to_contain_text("Automatic rollback to #40")
    expect(row).to_contain_text("did not become Healthy within 10m")
    expect(row).to_contain_text("not Healthy")
    expect(page.get_by_label("Cause")).to_have_value("unhealthy")
    page.goto(server.url + f"/revisions/{back['sequence']}")
    page.locator(".lead").wait_for()
    facts = page.locator("dl.facts").first
    expect(facts).to_contain_text("Takes back")
    expect(facts.get_by_role("link", name=f"#{bad['sequence']}")).to_be_visible()
