"""The page at /ui in a real browser, against the real service.

NEWSLOOP_SCREENSHOTS=FOLDER leaves pictures there, to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from components.core.ledger import LABELS
from tests import tiny
from tests.browser import chromium, needs_browser
from tests.served import Project, wait_for

pytestmark = needs_browser
ARTICLE = (
    "The MINISTER's film, a film of <b>films</b>.\n\nThe day after: <img src=x onerror=alert(1)>"
)
SCREENSHOTS = os.environ.get("NEWSLOOP_SCREENSHOTS")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"), ask_keys="always")
    yield project
    project.stop()
    project.ledger.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, service: Project) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 900, "height": 900})
    opened.set_default_timeout(10_000)
    opened.goto(f"{service.url}/ui")
    yield opened
    opened.context.close()


def log_in(page: Page, key: str | None) -> None:
    page.get_by_label("API key").fill(key or "")
    page.get_by_role("button", name="Use this key").click()


def classify(page: Page, text: str) -> None:
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#legend")).not_to_be_empty(timeout=30_000)  # the first is slow


def picture(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"), full_page=True)


def test_an_article_is_pasted_answered_explained_and_corrected(
    page: Page, service: Project
) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    expect(page.locator("#door")).to_be_visible()
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#problem")).to_be_hidden()
    picture(page, "door")
    log_in(page, "nl_wrong")
    expect(page.locator("#problem")).to_contain_text("unknown or revoked")
    log_in(page, service.key)
    expect(page.locator("#door")).to_be_hidden()
    expect(page.locator("#model")).to_have_text(f"newsloop@v1.0.0 {service.champion.bundle[:12]}")
    said.clear()  # the browser itself notes each 401

    classify(page, ARTICLE)
    expect(page.locator("#label")).to_have_text("entertainment")
    expect(page.locator("#confidence")).to_contain_text("%")
    expect(page.locator("#unsure")).to_be_hidden()
    expect(page.locator("#answered")).to_contain_text("newsloop@v1.0.0")
    assert page.locator("#marked").inner_text() == ARTICLE
    marks = [
        (mark.inner_text(), mark.get_attribute("class"))
        for mark in page.locator("#marked mark").all()
    ]
    assert marks == [
        ("MINISTER", "against"), ("film", "for"), ("film", "for"),
    ]  # fmt: skip
    # The other classes with their probabilities, the most probable first.
    shares = [float(cell.split()[0]) for cell in page.locator("#others td.n").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    others = page.locator("#others td:first-child").all_inner_texts()
    assert {"entertainment", *others} == set(tiny.LABELS)
    picture(page, "answer")

    # Nothing is chosen, and the predicted label is no choice.
    right = page.get_by_label("the right label")
    assert right.input_value() == ""
    assert right.locator("option:enabled").all_inner_texts() == others
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#thanks")).to_be_empty()
    right.select_option("politics")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#thanks")).to_have_text("Thank you, it is kept.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#thanks")).to_have_text("That is known already.")
    wait_for("the label", lambda: service.rows(LABELS))
    assert [row["label"] for row in service.rows(LABELS)] == ["politics"]
    assert said == []
    assert {url.removeprefix(service.url) for url in asked} == {
        "/model", "/classify", "/explain", "/feedback",
    }  # fmt: skip
    stored: Any = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert stored == [0, 0, ""]


def test_the_policy_stops_what_is_not_in_the_page(page: Page) -> None:
    page.evaluate(
        "const one = document.createElement('script'); one.textContent = 'window.hurt = 1';"
        "document.body.append(one);"
    )
    assert page.evaluate("window.hurt") is None
    assert page.evaluate("fetch('http://127.0.0.1:9/').catch(() => 'stopped')") == "stopped"


def test_it_says_what_went_wrong(page: Page, service: Project) -> None:
    log_in(page, service.key)
    expect(page.locator("#door")).to_be_hidden()
    page.get_by_label("Text", exact=True).fill("x" * 3000)
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#problem")).to_contain_text("at most 2000 characters")
    classify(page, "nothing known")  # and it goes on
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#legend")).to_contain_text("No single word carried it.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out(browser: Browser, service: Project, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{service.url}/ui")
    log_in(page, service.key)
    expect(page.locator("#door")).to_be_hidden()
    classify(page, ARTICLE + " " + "long" * 60)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 25, 30)"}[scheme]
    picture(page, f"phone-{scheme}")
    context.close()


def test_the_page_itself_is_behind_the_door(service: Project) -> None:
    service.http.headers.pop("Authorization")
    try:
        answer = service.http.get("/ui")
    finally:
        service.http.headers["Authorization"] = f"Bearer {service.key}"
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    opened = service.http.get("/ui")
    assert opened.status_code == 200
    assert opened.text == answer.text
    policy = opened.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
