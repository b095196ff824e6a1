"""Acting on an application: who may, what is shown first, and where it ends."""

import pytest
from playwright.sync_api import expect

ACTS = ["Sync…", "Refresh", "Rollback…", "Unpin…"]


def target(server, back=3):
    pin = server.data.applications["guestbook"]["pin"]["target"]
    good = sorted(key for key, one in server.data.revisions.items() if one["application"]["name"] == "guestbook" and key < pin)
    return good[-back]


def posts(server, end):
    return [body for method, path, body in server.requests if method == "POST" and path.endswith(end)]


@pytest.mark.parametrize("role", [None, "viewer", "auditor"])
def test_those_who_may_not_act_see_no_buttons_to_act(fake, opened, role):
    server = fake()
    page = opened(server, "/apps/guestbook", role=role)
    page.locator("[data-row]").first.wait_for()
    for name in ACTS:
        assert page.get_by_role("button", name=name).count() + page.get_by_role("link", name=name, exact=True).count() == 0
    page.goto(server.url + "/apps/guestbook/rollback")
    page.get_by_text("Not with this role").wait_for()
    assert page.locator("form").count() == 0
    page.goto(server.url + f"/revisions/{target(server)}")
    page.locator(".diff").first.wait_for()
    assert page.get_by_text("Roll back to this").count() == 0


@pytest.mark.parametrize("role", ["deployer", "admin"])
def test_those_who_may_act_see_the_buttons(fake, opened, role):
    page = opened(fake(), "/apps/guestbook", role=role)
    for name in ACTS:
        expect(page.locator(".acts").get_by_text(name)).to_be_visible()


def test_a_token_for_other_applications_offers_nothing(fake, opened):
    server = fake()
    server.tokens["deployer"]["applications"] = ["shop-*"]
    page = opened(server, "/apps/guestbook", role="deployer")
    page.locator("[data-row]").first.wait_for()
    assert page.locator(".acts .button").count() == 0


def test_a_rollback_by_keyboard_alone(fake, opened):
    server = fake()
    page = opened(server, "/apps", role="deployer")
    page.locator("[data-row]").first.wait_for()
    press = page.keyboard.press

    def tab_to(locator):
        for _ in range(80):
            if locator.count() and locator.first.evaluate("one => one === document.activeElement"):
                return
            press("Tab")
        raise AssertionError("not reached by the Tab key: " + str(locator))

    press("/")
    page.keyboard.type("guest")
    expect(page.locator("[data-row]")).to_have_count(1)
    press("Escape")
    press("j")
    press("Enter")
    page.wait_for_url("**/apps/guestbook")
    page.locator(".acts").get_by_text("Rollback…").wait_for()
    tab_to(page.locator(".acts a", has_text="Rollback…"))
    press("Enter")
    page.wait_for_url("**/rollback")
    page.locator("input[name=target]").first.wait_for()
    assert page.locator("input[name=target]:checked").count() == 0, "nothing is chosen beforehand"
    expect(page.get_by_role("button", name="Roll back")).to_be_disabled()
    tab_to(page.locator("input[name=target]:not(:disabled)"))
    press("ArrowDown")
    press("ArrowUp")
    chosen = page.locator("input[name=target]:checked").get_attribute("value")
    page.locator(".plan .diff").first.wait_for()
    button = page.get_by_role("button", name=f"Roll back to #{chosen}")
    expect(button).to_be_disabled()
    tab_to(page.get_by_label("Reason"))
    page.keyboard.type("the newest one loses comments")
    expect(button).to_be_enabled()
    tab_to(button)
    press("Enter")
    page.get_by_role("dialog").wait_for()
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    press("Tab")
    press("Enter")
    page.wait_for_url("**/revisions/*")
    expect(page.locator(".lead")).to_contain_text(f"Deployer Person rolled guestbook back to #{chosen}")
    expect(page.locator("h1")).to_be_focused()
    expect(page.locator("main")).to_contain_text("the newest one loses comments")
    sent = posts(server, "/rollback")[-1]
    assert sent["to"] == {"sequence": int(chosen)} and sent["hold"] == "until-new-commit" and sent["prune"] is True and "dryRun" not in sent
    assert sent["ifDesired"].startswith("sha256:")


def test_the_button_waits_for_the_difference(fake, opened):
    server = fake()
    server.fault("POST", "/rollback", 503, "cluster.unreachable")
    page = opened(server, f"/apps/guestbook/rollback?to={target(server)}", role="deployer")
    page.get_by_role("alert").wait_for()
    page.get_by_label("Reason").fill("because")
    button = page.get_by_role("button", name="Roll back to #")
    expect(button).to_be_disabled()
    server.faults.clear()
    page.get_by_role("button", name="Try again").click()
    page.locator(".plan .diff").first.wait_for()
    expect(button).to_be_enabled()
    server.delay = 1.0
    page.get_by_label("until somebody unpins it").check()
    expect(button).to_be_disabled()
    expect(button).to_be_enabled()
    assert all(body.get("dryRun") for body in posts(server, "/rollback"))


def test_enter_in_the_reason_does_not_pass_the_confirmation(fake, opened):
    server = fake()
    page = opened(server, f"/apps/guestbook/rollback?to={target(server)}", role="deployer")
    page.locator(".plan .diff").first.wait_for()
    page.get_by_label("Reason").fill("because")
    page.get_by_label("Reason").press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert all(body.get("dryRun") for body in posts(server, "/rollback"))


def test_what_cannot_be_done_comes_with_a_remedy(fake, opened):
    server = fake()
    server.plan_extra = {"changes": [{"group": "apps", "kind": "Deployment", "namespace": "guestbook", "name": "worker", "apiVersion": "apps/v1", "action": "cannot",
                                      "wave": 0, "message": "spec.selector cannot be changed", "code": "plan.immutable", "hint": "Tick “Replace what cannot be changed in place”."}]}
    page = opened(server, f"/apps/guestbook/rollback?to={target(server)}", role="deployer")
    panel = page.locator(".plan .problem")
    panel.wait_for()
    expect(panel).to_contain_text("What to do")
    page.get_by_label("Reason").fill("because")
    expect(page.get_by_role("button", name="Roll back to #")).to_be_disabled()
    page.get_by_label("Replace what cannot be changed in place").check()
    expect(page.get_by_role("button", name="Roll back to #")).to_be_enabled()
    assert posts(server, "/rollback")[-1]["replace"] is True


def test_secrets_that_would_go_back_are_named_and_can_be_kept(fake, opened):
    server = fake()
    server.plan_extra = {"secrets": ["v1/Secret guestbook/database-password"]}
    page = opened(server, f"/apps/guestbook/rollback?to={target(server)}", role="deployer")
    expect(page.locator(".plan")).to_contain_text("database-password")
    page.get_by_label("Leave Secrets' values").check()
    page.locator(".plan .diff").first.wait_for()
    assert posts(server, "/rollback")[-1]["keepSecrets"] is True


def test_deleting_what_holds_data_wants_the_name_typed(fake, opened):
    server = fake()
    server.plan_extra = {"changes": [{"group": "", "kind": "PersistentVolumeClaim", "namespace": "guestbook", "name": "uploads", "apiVersion": "v1", "action": "prune", "wave": 0}]}
    page = opened(server, f"/apps/guestbook/rollback?to={target(server)}", role="deployer")
    page.locator(".plan .diff").first.wait_for()
    page.get_by_label("Reason").fill("because")
    page.get_by_role("button", name="Roll back to #").click()
    dialog = page.get_by_role("dialog")
    confirm = dialog.get_by_role("button", name="Roll back")
    expect(dialog).to_contain_text("uploads")
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Type the application's name").fill("guestboo")
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Type the application's name").fill("guestbook")
    confirm.click()
    page.wait_for_url("**/revisions/*")
    assert posts(server, "/rollback")[-1]["confirmDestructive"] is True


def test_a_refusal_is_told_and_can_be_planned_again(fake, opened):
    server = fake()
    page = opened(server, f"/apps/guestbook/rollback?to={target(server)}", role="deployer")
    page.locator(".plan .diff").first.wait_for()
    page.get_by_label("Reason").fill("because")
    server.fault("POST", "/rollback", 409, "application.changed")
    page.get_by_role("button", name="Roll back to #").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("alert")).to_contain_text("application.changed")
    server.faults.clear()
    page.get_by_role("button", name="Plan again").click()
    page.locator(".plan .diff").first.wait_for()


def test_an_operation_is_followed_through_a_lost_connection(fake, opened):
    server = fake()
    server.operation_seconds = 3
    page = opened(server, f"/apps/guestbook/rollback?to={target(server)}", role="deployer")
    page.locator(".plan .diff").first.wait_for()
    page.get_by_label("Reason").fill("because")
    server.fault("GET", "/operations/", None)
    page.get_by_role("button", name="Roll back to #").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    page.get_by_text("The server does not answer").wait_for()
    server.faults.clear()
    page.wait_for_url("**/revisions/*")


def test_from_a_revision_back_to_it(fake, opened):
    server = fake()
    number = target(server)
    page = opened(server, f"/revisions/{number}", role="deployer")
    page.get_by_role("link", name="Roll back to this").click()
    page.wait_for_url(f"**/apps/guestbook/rollback?to={number}")
    expect(page.locator(f"#target-{number}")).to_be_checked()
    page.locator(".plan .diff").first.wait_for()


def test_the_current_state_is_no_target(fake, opened):
    server = fake()
    page = opened(server, "/apps/guestbook/rollback", role="deployer")
    current = server.data.applications["guestbook"]["deployed"]["sequence"]
    expect(page.locator(f"#target-{current}")).to_be_disabled()


def test_a_sync_shows_its_plan_and_ends_in_its_revision(fake, opened):
    server = fake()
    page = opened(server, "/apps/checkout", role="deployer")
    page.locator(".acts").get_by_text("Sync…").click()
    page.wait_for_url("**/apps/checkout/sync")
    page.locator(".plan .diff").first.wait_for()
    page.get_by_role("button", name="Sync…").click()
    page.get_by_role("dialog").get_by_role("button", name="Sync").click()
    page.wait_for_url("**/revisions/*")
    expect(page.locator(".lead")).to_contain_text("Deployer Person synced checkout")


def test_unpinning_asks_first_and_tells_what_follows(fake, opened):
    server = fake()
    page = opened(server, "/apps/guestbook", role="deployer")
    page.get_by_role("button", name="Unpin").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Automatic sync is on")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    assert "pin" in server.data.applications["guestbook"]
    page.get_by_role("button", name="Unpin").click()
    dialog.get_by_label("Reason").fill("fixed upstream")
    dialog.get_by_role("button", name="Unpin").click()
    expect(page.locator(".card.pin")).to_have_count(0)
    assert ("DELETE", "/api/shiplog/v1/applications/guestbook/pin", {"reason": "fixed upstream"}) in server.requests


def test_refresh_is_one_press(fake, opened):
    server = fake()
    page = opened(server, "/apps/docs", role="deployer")
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("button", name="Refresh")).to_be_enabled()
    assert len(posts(server, "/refresh")) == 1


def test_signing_in_and_out(fake, opened):
    server = fake()
    page = opened(server, "/apps/guestbook")
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("session.invalid")
    expect(page.get_by_label("Token")).to_have_value("")
    page.get_by_label("Token").fill("deployer")
    page.get_by_role("button", name="Sign in").first.click()
    page.wait_for_url("**/apps/guestbook")
    page.locator(".acts").get_by_text("Rollback…").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in", exact=True).wait_for()
    assert server.sessions == {}
    page.goto(server.url + "/apps/guestbook")
    page.locator("[data-row]").first.wait_for()
    assert page.locator(".acts .button").count() == 0


def test_where_reading_needs_a_token_the_way_leads_through_signing_in(fake, opened):
    server = fake(guarded=True)
    page = opened(server, "/history?kind=rollback")
    page.wait_for_url("**/login?next=*")
    page.get_by_label("Token").fill("viewer")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(server.url + "/history?kind=rollback")
    expect(page.locator("[data-row]")).to_have_count(1)


def test_a_session_that_ends_leads_back_to_signing_in(fake, opened):
    server = fake(guarded=True)
    page = opened(server, "/apps", role="viewer")
    page.locator("[data-row]").first.wait_for()
    server.sessions.clear()
    page.get_by_role("link", name="History").click()
    page.wait_for_url("**/login?next=*")


@pytest.mark.parametrize(("role", "offered"), [("viewer", 0), ("deployer", 0), ("auditor", 1), ("admin", 1)])
def test_events_are_for_those_who_audit(fake, opened, role, offered):
    server = fake()
    page = opened(server, "/apps", role=role)
    page.locator("[data-row]").first.wait_for()
    expect(page.locator(".places").get_by_role("link", name="Audit")).to_have_count(offered)
    page.goto(server.url + "/audit")
    if offered:
        expect(page.locator(".events")).to_contain_text("pin.set")
    else:
        expect(page.get_by_role("alert")).to_contain_text("role.insufficient")
