"""The tree of an application: nested, told as text, and opened and closed by keys."""

from playwright.sync_api import expect


def test_a_tree_hangs_pods_below_their_sets_and_is_folded_by_a_key(fake, opened):
    server = fake()
    page = opened(server, "/apps/guestbook/tree")
    pod = page.locator("ul.tree .name", has_text="-1-a").first
    expect(pod).to_be_visible()
    expect(page.get_by_text("example.com/web:1").first).to_be_visible()
    expect(page.get_by_text("<b>secrets</b> are forbidden")).to_be_visible()
    page.locator("ul.tree summary").first.focus()
    page.keyboard.press("Enter")
    expect(pod).to_be_hidden()


def test_a_tree_fits_a_narrow_screen(fake, opened):
    page = opened(fake(), "/apps/guestbook/tree")
    page.set_viewport_size({"width": 320, "height": 640})
    page.locator("ul.tree .name").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= 320")
