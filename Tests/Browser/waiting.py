"""Waiting for the page. (`wait_for_function` compiles strings inside the page, which its policy rightly refuses.)"""

import time

from playwright.sync_api import expect


def settled(page):
    """The screen has a heading and nothing is loading any more."""
    page.locator("#main h1").first.wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def rows(page):
    settled(page)
    return page.locator("main [data-row]")


def sequences(page):
    """The revisions of the timeline on the page, in its order."""
    return [int(text) for text in page.eval_on_selector_all(".timeline [data-row]", "all => all.map((one) => one.dataset.row)")]


def live(page):
    page.locator(".live.live .icon-live").wait_for()
    return page


def until(condition, what, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
