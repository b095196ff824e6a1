"""The stream: nothing twice, nothing lost, and no row moves under the reader."""

from playwright.sync_api import expect

from waiting import live, sequences, until


def test_what_happens_waits_to_be_shown(fake, opened):
    server = fake()
    page = live(opened(server, "/apps/guestbook"))
    before = sequences(page)
    made = [server.happen("guestbook", 80 + number)["sequence"] for number in range(3)]
    server.happen("docs", 4)
    button = page.get_by_role("button", name="3 new")
    button.wait_for()
    assert sequences(page) == before
    button.click()
    assert sequences(page) == made[::-1] + before
    expect(page.locator(f'[data-row="{made[-1]}"]')).to_be_focused()


def test_a_cut_stream_resumes_without_gaps_or_repeats(fake, opened):
    server = fake()
    page = live(opened(server, "/apps/guestbook"))
    before = sequences(page)
    made = []
    for number in range(4):
        made.append(server.happen("guestbook", 80 + number)["sequence"])
        server.drop_streams()
        made.append(server.happen("guestbook", 90 + number)["sequence"])
        until(lambda: server.streams, "the stream came back")
    made.append(server.happen("guestbook", 99)["sequence"])
    page.get_by_role("button", name=f"{len(made)} new").click()
    assert sequences(page) == made[::-1] + before
    resumed = [last for _, last in server.stream_starts[1:]]
    assert resumed and all(resumed), "the browser said where it was"


def test_what_happens_during_the_snapshot_is_not_lost(fake, opened):
    server = fake()
    page = live(opened(server, "/apps"))
    server.delay = 0.6
    page.get_by_role("link", name="History").click()
    until(lambda: any("/revisions?" in path for _, path, _ in server.requests), "the snapshot was asked for")
    made = server.happen("guestbook", 90)["sequence"]
    page.locator(f'[data-row="{made}"], .fresh').first.wait_for()
    if page.locator(".fresh").count():
        page.locator(".fresh").click()
    assert sequences(page).count(made) == 1


def test_after_a_resync_the_snapshot_is_taken_again(fake, opened):
    server = fake()
    page = live(opened(server, "/apps/guestbook"))
    before = sequences(page)
    server.resync()
    until(lambda: not server.streams, "the stream was closed")
    made = [server.happen("guestbook", 80 + number)["sequence"] for number in range(3)]
    page.get_by_role("button", name="3 new").click()
    assert sequences(page) == made[::-1] + before


def test_when_more_than_a_page_was_missed_the_list_is_taken_again(fake, opened):
    server = fake()
    page = live(opened(server, "/apps/guestbook"))
    # In one step, so that the page cannot come back in between.
    with server.lock:
        server.resync()
        made = [server.happen("guestbook", 5 + number)["sequence"] for number in range(60)]
    page.locator(f'[data-row="{made[-1]}"]').wait_for()
    assert sequences(page)[:50] == made[::-1][:50]


def test_only_what_fits_the_filters_is_announced(fake, opened):
    server = fake()
    page = live(opened(server, "/history?kind=rollback&application=guestbook"))
    server.happen("guestbook", 80)
    server.happen("docs", 5, kind="rollback")
    server.happen("guestbook", 81, kind="rollback", rolled_back_to=90, reason="again")
    page.get_by_role("button", name="1 new").click()
    assert len(sequences(page)) == 2


def test_reconciles_that_changed_nothing_stay_unsaid(fake, opened):
    server = fake()
    page = live(opened(server, "/history"))
    server.happen("docs", 3, kind="reconcile", same_as=3)
    server.happen("docs", 4)
    page.get_by_role("button", name="1 new").wait_for()


def test_an_application_changes_in_its_place(fake, opened):
    server = fake()
    page = live(opened(server, "/apps"))
    order = page.locator(".apps .name").all_inner_texts()
    server.happen("storefront", 4, health="Degraded", outcome="failed")
    row = page.locator("tr", has=page.get_by_role("link", name="storefront"))
    expect(row).to_contain_text("Degraded")
    assert page.locator(".apps .name").all_inner_texts() == order
    page.reload()
    page.locator(".apps .name").first.wait_for()
    assert page.locator(".apps .name").all_inner_texts() != order


def test_the_header_of_an_application_follows(fake, opened):
    server = fake()
    page = live(opened(server, "/apps/storefront/diff"))
    server.happen("storefront", 4, health="Degraded")
    expect(page.locator(".cards")).to_contain_text("Degraded")


def test_news_is_said_once_and_politely(fake, opened):
    server = fake()
    page = live(opened(server, "/apps/guestbook"))
    assert page.locator("[role=status][aria-live=polite]").count() == 1
    for number in range(3):
        server.happen("guestbook", 80 + number)
    expect(page.locator("#say")).to_contain_text("new revision")


def test_the_indicator_tells_a_lost_stream(fake, opened):
    server = fake()
    page = live(opened(server, "/apps"))
    server.refuse_streams = True
    server.drop_streams()
    expect(page.locator(".live")).to_contain_text("Reconnecting")
    expect(page.locator(".live")).to_contain_text("as of")
    server.refuse_streams = False
    page.locator(".live.live .icon-live").wait_for()


def test_a_hidden_page_lets_go_and_catches_up(fake, opened):
    server = fake()
    page = opened(server)
    page.clock.install()
    page.goto(server.url + "/apps/guestbook")
    live(page)
    before = sequences(page)

    def visibility(state):
        page.evaluate("""(state) => { Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
            document.dispatchEvent(new Event('visibilitychange')); }""", state)

    visibility("hidden")
    page.clock.run_for(61_000)
    expect(page.locator(".live")).to_contain_text("Paused")
    until(lambda: not server.streams, "the connection was closed")
    made = server.happen("guestbook", 80)["sequence"]
    visibility("visible")
    live(page)
    page.get_by_role("button", name="1 new").click()
    assert sequences(page) == [made] + before


def test_the_tabs_of_a_browser_share_one_stream(fake, opened):
    server = fake()
    first = live(opened(server, "/apps/guestbook"))
    second = live(opened(server, "/apps/guestbook", context=first.context))
    third = live(opened(server, "/history", context=first.context))
    assert len(server.streams) == 1
    made = server.happen("guestbook", 80)["sequence"]
    for page in (first, second, third):
        page.get_by_role("button", name="1 new").click()
        assert sequences(page)[0] == made
    first.close()
    until(lambda: len(server.stream_starts) >= 2, "another tab took over")
    live(second)
    made = server.happen("guestbook", 81)["sequence"]
    for page in (second, third):
        page.get_by_role("button", name="1 new").click()
        assert sequences(page)[0] == made
    assert len(server.streams) == 1
