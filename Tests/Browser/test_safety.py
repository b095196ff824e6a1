"""What strangers write (commit messages, names, messages of a cluster) stays text; secrets stay where they belong."""

import re

import pytest

import fake_data
from waiting import rows, settled, until

SCREENS = ["/apps", "/apps/hostile", "/apps/hostile/resources", "/apps/hostile/manifests", "/history?application=hostile", "/apps/hostile/rollback", "/audit"]


def test_hostile_text_is_inert_on_every_screen(fake, opened):
    server = fake(hostile=True)
    page = opened(server, role="admin")
    hostile = [key for key, one in server.data.revisions.items() if one["application"]["name"] == "hostile"]
    event = max(key for key, one in server.data.events.items() if one.get("changes"))
    for path in SCREENS + [f"/audit?event={event}"] + [f"/revisions/{key}" for key in hostile]:
        page.goto(server.url + path)
        settled(page)
        assert page.evaluate("window.__xss") is None, path
        assert page.locator("main script, main img, main iframe, main math, main style, [onerror], [onload]").count() == 0, path
        addresses = page.eval_on_selector_all("a[href]", "all => all.map((one) => one.protocol)")
        assert set(addresses) <= {"http:", "https:"}, path
        assert page.title().endswith("· Shiplog")


def test_hostile_text_is_shown_as_it_was_written(fake, opened):
    server = fake(hostile=True)
    page = opened(server, "/apps/hostile")
    subjects = page.locator(".timeline .subject")
    subjects.first.wait_for()
    shown = subjects.all_text_contents()
    for text in fake_data.HOSTILE:
        expected = "".join(f"U+{ord(one):04X}" if re.match("[\u0000-\u001f\u200b\u202a-\u202e\u2066-\u2069]", one) else one for one in text)
        assert expected in shown, text


def test_characters_that_deceive_are_marked(fake, opened):
    server = fake(hostile=True)
    page = opened(server, "/apps/hostile")
    page.locator(".timeline .unseen").first.wait_for()
    assert {"U+202E", "U+202C", "U+2066", "U+2069", "U+200B", "U+001B", "U+0007"} <= set(page.locator(".unseen").all_text_contents())
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u001b]", page.locator("main").inner_text())


def test_hostile_text_from_the_stream_is_inert(fake, opened):
    server = fake(hostile=True)
    page = opened(server, "/history")
    page.locator(".live.live .icon-live").wait_for()
    for text in fake_data.HOSTILE:
        server.happen("hostile", 3, subject=text, reason=text, error={"code": "x", "message": text}, outcome="failed")
    page.get_by_role("button", name=f"{len(fake_data.HOSTILE)} new").click()
    page.get_by_text(fake_data.HOSTILE[0], exact=True).first.wait_for()
    assert page.evaluate("window.__xss") is None


@pytest.mark.parametrize("path", ["/apps/%3Cscript%3Ewindow.__xss=1%3C%2Fscript%3E", "/history?actor=%3Cimg%20src=x%20onerror=window.__xss=1%3E",
                                  "/apps?q=%22%3E%3Csvg%20onload=window.__xss=1%3E", "/apps/%E0%A4%A", "/revisions/99999999999999999999"])
def test_hostile_addresses_are_inert(fake, opened, path):
    page = opened(fake(), path)
    settled(page)
    assert page.evaluate("window.__xss") is None
    assert page.locator("main script, main img").count() == 0


def test_markup_from_a_string_would_be_refused(fake, opened):
    page = opened(fake(), "/apps")
    page.locator("h1").wait_for()
    refused = page.evaluate("""() => { try { document.createElement('div').innerHTML = '<b>x</b>'; return 'taken'; } catch (error) { return error.name; } }""")
    assert refused == "TypeError"
    # This one break of the policy was the point.
    until(lambda: len(opened.watch.violations) >= 1, "the refusal was reported")
    opened.watch.violations.clear()


def test_the_token_is_kept_nowhere(fake, opened):
    server = fake()
    page = opened(server, "/login")
    page.get_by_label("Token").fill("deployer")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Deployer Person").wait_for()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.state, location.href])")
    assert "deployer" not in kept.lower()
    cookie = page.context.cookies()[0]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    sent = [entry for entry in server.requests if "deployer" in str(entry[1:])]
    assert [(method, path) for method, path, _ in sent] == [("POST", "/api/shiplog/v1/session")]


def test_after_signing_in_only_own_addresses_are_gone_to(fake, opened):
    server = fake()
    for address in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:window.__xss=1"):
        page = opened(server)
        page.goto(server.url + "/login?next=" + address)
        page.get_by_label("Token").fill("viewer")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Applications").wait_for()
        assert page.url == server.url + "/apps"
        assert page.evaluate("window.__xss") is None


def test_links_to_other_hosts_tell_them_nothing(fake, opened):
    page = opened(fake(), "/apps/guestbook")
    page.locator(".card a[href^='https:']").first.wait_for()
    for rel in page.eval_on_selector_all("a[href^='https:']", "all => all.map((one) => one.rel)"):
        assert rel == "noopener noreferrer"
