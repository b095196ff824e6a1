"""Each screen as it looks: accessible, in both schemes and on narrow screens, printed, and cheap."""

import gzip
from pathlib import Path

import pytest

from fake_api import WEB
from waiting import settled

SCREENS = {
    "applications": "/apps", "application": "/apps/guestbook", "resources": "/apps/payments-api/resources", "diff": "/apps/checkout/diff",
    "manifests": "/apps/guestbook/manifests", "history": "/history", "revision": "/revisions/{rollback}", "failed": "/revisions/{failed}",
    "rollback": "/apps/guestbook/rollback?to={target}", "sync": "/apps/checkout/sync", "audit": "/audit", "event": "/audit?event={changed}",
    "at": "/at?row={rollback}", "login": "/login",
    "missing": "/apps/nothing-of-that-name", "empty": "/history?actor=nobody",
}


def newest_event(server, kind):
    return max(key for key, one in server.data.events.items() if one["kind"] == kind)


def addresses(server):
    revisions = server.data.revisions
    newest = lambda test: max(key for key, one in revisions.items() if test(one))
    rollback = newest(lambda one: one["kind"] == "rollback")
    changed = newest_event(server, "application.changed")
    names = {"changed": changed, "rollback": rollback, "failed": newest(lambda one: one["outcome"] == "failed"), "target": revisions[rollback]["rolledBackTo"] - 3}
    return {name: path.format(**names) for name, path in SCREENS.items()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_nothing_on_any_screen(fake, opened, axe, picture, scheme, width):
    server = fake()
    page = opened(server, role="admin", width=width, scheme=scheme)
    for name, path in addresses(server).items():
        page.goto(server.url + path)
        settled(page)
        axe(page, f"{name} {scheme} {width}")
        picture(page, f"{name}-{scheme}-{width}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_dialogs_and_the_states(fake, opened, axe, picture, scheme):
    server = fake()
    server.plan_extra = {"notes": ["The digest differs from an earlier revision of the same commit."], "secrets": ["v1/Secret guestbook/keys"], "changes": [
        {"group": "", "kind": "PersistentVolumeClaim", "namespace": "guestbook", "name": "uploads", "apiVersion": "v1", "action": "prune", "wave": 0}]}
    page = opened(server, addresses(server)["rollback"], role="deployer", scheme=scheme)
    page.get_by_label("Reason").fill("the test says so")
    page.get_by_role("button", name="Roll back to").click()
    page.get_by_role("dialog").wait_for()
    axe(page, "confirmation")
    picture(page, f"confirmation-{scheme}")
    page.keyboard.press("Escape")
    page.locator("h1").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()
    axe(page, "sheet")
    picture(page, f"sheet-{scheme}")
    page.keyboard.press("Escape")
    server.fault("GET", r"/revisions\?", 503)
    page.goto(server.url + "/history")
    page.get_by_role("alert").wait_for()
    axe(page, "problem")
    picture(page, f"problem-{scheme}")


def test_axe_would_see_a_fault(fake, opened):
    from axe_playwright_python.sync_playwright import Axe
    page = opened(fake(), "/apps")
    settled(page)
    page.evaluate("document.documentElement.removeAttribute('lang')")
    assert "html-has-lang" in [one["id"] for one in Axe().run(page).response["violations"]]


@pytest.mark.parametrize("zoom", ["320 px", "400 %"])
def test_nothing_scrolls_sideways(fake, opened, zoom):
    server = fake(hostile=True)
    # 400 % of a 1280 × 1024 window is a 320 × 256 one.
    page = opened(server, role="admin", width=320, height=640 if zoom == "320 px" else 256)
    for name, path in {**addresses(server), "hostile": "/apps/hostile"}.items():
        page.goto(server.url + path)
        settled(page)
        wide = page.evaluate("""() => [document.documentElement.scrollWidth, [...document.querySelectorAll('body *')]
            .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.hide, thead, .skip')).map((one) => one.outerHTML.slice(0, 160)).slice(0, 3)]""")
        assert wide == [320, []], (name, wide)
    page.goto(server.url + "/apps")
    settled(page)
    page.get_by_role("button", name="Filters").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_every_target_is_at_least_24_pixels_high(fake, opened):
    server = fake()
    page = opened(server, role="admin")
    for name, path in addresses(server).items():
        page.goto(server.url + path)
        settled(page)
        small = page.evaluate("""() => [...document.querySelectorAll('button, select, input:not([type=checkbox], [type=radio]), summary, nav a, .button')]
            .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 24).map((one) => one.outerHTML.slice(0, 120))""")
        assert small == [], name


def test_the_first_view_stays_within_its_budget(fake, opened):
    server = fake()
    page = opened(server)
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(server.url + "/")
    settled(page)
    page.locator(".live.live").wait_for()
    # Chromium tells of a file that it takes from its memory as of another request.
    assert len(set(urls)) <= 14, urls
    asked = [url for url in urls if "/api/" in url]
    assert len(asked) == len(set(asked)), urls
    files = [url.removeprefix(server.url).split("?")[0] for url in sorted(set(urls)) if "/api/" not in url]
    size = sum(len(gzip.compress((WEB / ("index.html" if path == "/" else path.lstrip("/"))).read_bytes(), 9)) for path in files)
    assert size <= 60 * 1024, size
    nodes = page.evaluate("document.querySelectorAll('*').length")
    assert nodes <= 3000


def test_the_whole_page_stays_within_its_budget():
    # Every screen there is, the time machine, the audit log and the proofs included; nobody loads all of them.
    total = sum(len(gzip.compress(file.read_bytes(), 9)) for file in Path(WEB).rglob("*") if file.is_file())
    assert total <= 80 * 1024, total


def test_the_layout_does_not_shift_while_it_loads(fake, opened):
    server = fake()
    page = opened(server)
    page.add_init_script("""window.shift = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) window.shift += one.value; })
        .observe({type: 'layout-shift', buffered: true})""")
    page.goto(server.url + "/history")
    settled(page)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shift") <= 0.02


def test_it_prints_the_record_and_not_the_tools(fake, opened):
    server = fake()
    page = opened(server, addresses(server)["rollback"].split("?")[0].replace("/rollback", ""), role="admin")
    settled(page)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".filters").is_visible()
    assert not page.locator(".acts").first.is_visible()
    assert page.locator(".timeline").is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf()) > 10_000


def test_motion_stops_for_those_who_asked(fake, opened):
    server = fake()
    server.delay = 1.0
    page = opened(server, reduced_motion="reduce")
    page.goto(server.url + "/apps", wait_until="commit")
    page.locator(".skeleton i").first.wait_for()
    assert page.evaluate("getComputedStyle(document.querySelector('.skeleton i')).animationName") == "none"


def test_forced_colours_keep_every_state_told_by_shape_and_word(fake, opened, picture):
    server = fake()
    page = opened(server, "/history", forced_colors="active")
    settled(page)
    for row in page.locator(".timeline tbody tr:not(.group)").all()[:10]:
        words = row.inner_text()
        assert any(word in words for word in ("Succeeded", "Failed", "Superseded"))
        assert row.locator(".badge svg use").count() >= 3
    picture(page, "history-forced-colours")


def test_the_theme_follows_the_system_until_a_person_chooses(fake, opened):
    page = opened(fake(), "/apps", scheme="dark")
    ground = lambda: page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    settled(page)
    dark = ground()
    button = page.get_by_role("button", name="Colours")
    button.click()
    light = ground()
    assert light != dark
    page.reload()
    settled(page)
    assert ground() == light
    button.click()
    assert ground() == dark


def test_times_are_utc_until_a_person_chooses(fake, opened):
    page = opened(fake(), "/history", timezone_id="Asia/Kolkata")
    settled(page)
    cell = page.locator(".timeline time").first
    stamp = cell.get_attribute("datetime")
    assert cell.inner_text() == stamp[11:19]
    assert "UTC" in page.locator(".group").first.inner_text()
    page.get_by_role("button", name="Times in UTC").click()
    assert "+05:30" in page.locator(".group").first.inner_text()
    assert page.locator(".timeline time").first.inner_text() != stamp[11:19]
    page.reload()
    settled(page)
    assert "+05:30" in page.locator(".group").first.inner_text()


def test_without_scripts_the_page_points_to_the_command_line_and_the_api(fake, opened):
    server = fake()
    page = opened(server, "/history", java_script_enabled=False)
    text = page.locator("main").inner_text()
    assert "shiplog history" in text and "/api/shiplog/v1/revisions" in text
