"""The time machine: any moment, what differs, and many applications back to it."""

import re

import pytest
from playwright.sync_api import expect

from fake_past import compare
from waiting import rows, settled, until


def middle(server):
    """The row since which most applications changed from something whole."""
    data = server.data
    return max(sorted(data.revisions), key=lambda row: sum(
        one["change"] == "changed" and one["before"]["state"] == "whole" for one in compare(data, row, data.sequence, None)[0]))


def posts(server, end):
    return [body for method, path, body in server.requests if method == "POST" and path.endswith(end)]


def test_a_moment_shows_every_application_as_it_was_and_what_differs_now(fake, opened, axe, picture):
    server = fake()
    page = opened(server, f"/at?row={middle(server)}")
    rows(page).first.wait_for()
    main = page.locator("main")
    expect(main).to_contain_text(f"As of row #{middle(server)}")
    expect(main).to_contain_text("from what is deployed now")
    expect(main.get_by_text("differs", exact=True).first).to_be_visible()
    axe(page, "the time machine")
    picture(page, "time-machine")
    # Nobody is signed in: nothing to act with.
    assert page.get_by_role("button", name="Plan a rollback").count() == 0


def test_the_filters_are_the_address_and_a_shortcut_changes_it(fake, opened):
    server = fake()
    page = opened(server, "/at")
    rows(page).first.wait_for()
    expect(page.locator("main")).to_contain_text("What was deployed then is what is deployed now")
    page.get_by_label("or row").fill(f"#{middle(server)}")
    page.get_by_label("or row").press("Enter")
    expect(page.locator("main")).to_contain_text(f"As of row #{middle(server)}")
    assert "row=" in page.url
    page.get_by_label("or row").fill("999999")
    page.get_by_label("or row").press("Enter")
    expect(page.locator("main")).to_contain_text("the log has no #999999 yet")
    page.get_by_role("button", name="an hour ago").click()
    settled(page)
    assert "t=20" in page.url and "row=" not in page.url


def test_a_lever_moves_through_the_log_by_keyboard_and_from_deployment_to_deployment(fake, opened, axe):
    server = fake()
    deployed = sorted(row for row, one in server.data.revisions.items() if one["kind"] in ("sync", "rollback"))
    page = opened(server, f"/at?row={deployed[-3]}")
    rows(page).first.wait_for()
    lever = page.get_by_role("slider", name="Row of the log")
    expect(lever).to_have_attribute("aria-valuetext", re.compile(rf"#{deployed[-3]}, (sync|rollback) of "))
    assert lever.evaluate("one => [one.min, one.max, one.list.options.length]") == [
        "1", str(server.data.sequence), len(deployed[-100:])]
    page.get_by_role("button", name="Deployment before").click()
    expect(page.locator("main")).to_contain_text(f"As of row #{deployed[-4]}")
    page.get_by_role("button", name="Deployment after").click()
    expect(page.locator("main")).to_contain_text(f"As of row #{deployed[-3]}")
    lever.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("main")).to_contain_text(f"As of row #{deployed[-3] + 1}")
    # The keyboard is still where it was, and the address says where one is.
    expect(lever).to_be_focused()
    assert f"row={deployed[-3] + 1}" in page.url and page.get_by_label("or row").input_value() == str(deployed[-3] + 1)
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile(r"row=1(&|$)"))
    axe(page, "the time machine's lever")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_two_moments_are_compared(fake, opened):
    server = fake()
    numbers = sorted(server.data.revisions)
    later = server.data.revisions[numbers[-5]]["recordedAt"]
    page = opened(server, f"/at?row={middle(server)}&to={later}")
    rows(page).first.wait_for()
    expect(page.locator("main")).to_contain_text("from what was deployed at row #")
    assert page.get_by_role("button", name="Plan a rollback").count() == 0


def plan(page, server):
    page.goto(server.url + f"/at?row={middle(server)}")
    page.get_by_role("button", name="Plan a rollback to this moment").click()
    page.locator("table.fleet").wait_for()


def test_a_rollback_is_planned_explained_confirmed_by_typing_and_followed(fake, opened, axe, picture):
    server = fake()
    page = opened(server, role="deployer")
    plan(page, server)
    axe(page, "the plan of a rollback of many applications")
    picture(page, "time-machine-plan")
    button = page.locator("button[type=submit].primary")
    expect(button).to_be_disabled()
    page.get_by_label("Reason (required)").fill("the migration failed")
    expect(button).to_be_enabled()
    button.click()
    dialog = page.locator("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    sure = dialog.get_by_role("button", name="Roll back")
    expect(sure).to_be_disabled()
    dialog.get_by_label("Type").fill(dialog.locator("code").inner_text())
    sure.click()
    page.wait_for_url("**/at?fleet=*")
    expect(page.locator("main")).to_contain_text("the migration failed")
    until(lambda: page.locator("main .summary").inner_text().startswith("Succeeded"), "the rollback ends")
    axe(page, "the end of a rollback of many applications")
    picture(page, "time-machine-end")
    sent = posts(server, "/plans/apply")
    assert len(sent) == 1 and sent[0]["reason"] == "the migration failed"
    assert all(one["action"] == "rollback" and "changes" not in one for one in sent[0]["plan"]["items"])
    # The address can be kept.
    page.reload()
    expect(page.locator("main")).to_contain_text("the migration failed")


def test_what_is_left_out_is_not_sent_and_what_moved_is_planned_again(fake, opened):
    server = fake()
    server.plan_moved = True
    page = opened(server, role="admin")
    plan(page, server)
    boxes = page.locator("table.fleet input[type=checkbox]:not(:disabled)")
    count = boxes.count()
    assert count > 1
    boxes.first.uncheck()
    page.get_by_label("Reason (required)").fill("x")
    page.locator("button[type=submit].primary").click()
    dialog = page.locator("dialog")
    dialog.get_by_label("Type").fill(dialog.locator("code").inner_text())
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator("main")).to_contain_text("something else was deployed")
    assert len(posts(server, "/plans/apply")[0]["plan"]["items"]) == count - 1
    page.get_by_role("button", name="Plan again").click()
    page.locator("table.fleet").wait_for()
    # Register again and delete are an administrator's to switch on.
    page.get_by_label("Delete applications that did not exist then").check()
    until(lambda: posts(server, "/plans")[-1]["delete"] is True, "the plan is made again")


def test_a_deployer_is_not_offered_what_only_an_administrator_may(fake, opened):
    server = fake()
    page = opened(server, role="deployer")
    plan(page, server)
    assert page.get_by_label("Delete applications that did not exist then").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_screen(fake, opened, axe, picture, scheme):
    server = fake()
    page = opened(server, f"/at?row={middle(server)}", width=320, height=700, scheme=scheme)
    rows(page).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    axe(page, "the time machine on a narrow screen, " + scheme)
    picture(page, "time-machine-narrow-" + scheme)


def test_keys_lead_there_and_through_its_rows(fake, opened):
    server = fake()
    page = opened(server, "/history")
    rows(page).first.wait_for()
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/at")
    rows(page).first.wait_for()
    page.keyboard.press("j")
    expect(rows(page).first).to_be_focused()
