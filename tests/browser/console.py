"""Uses the console as its people do, in a real browser.

    python console.py ROOT FOLDER [SUBJECT...]

ROOT is where the pages are. Pictures go to FOLDER. What the server's side has to do meanwhile is asked for on
standard output, one word a line: `arrive` has a recording arrive. The last line is `done`; anything else that
goes wrong is an error on standard error, and ends it.
"""

import json
import re
import shutil
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}
MIGRATION = "/phases/test/daily_diarization_pipeline"
NAME = "test/daily_diarization_pipeline"
# However busy the machine is.
PATIENCE_MS = 120_000


class People:
    """Those who can sign in at the provider, each with a browser window of their own."""

    def __init__(self, browser: Browser, root: str, pictures: Path):
        self.browser, self.root, self.pictures = browser, root, pictures
        self.windows: dict[str, BrowserContext] = {}

    def page(self, person: str) -> Page:
        """A page of somebody who has signed in."""
        if person not in self.windows:
            window = self.browser.new_context(base_url=self.root, viewport=WIDE)
            window.set_default_timeout(PATIENCE_MS)
            self.windows[person] = window
            page = window.new_page()
            page.goto("/sign-in")
            page.get_by_role("link", name=re.compile("^Sign in with")).click()
            page.get_by_role("link", name=person, exact=True).click()
            expect(page.locator("header .who")).to_contain_text(person)
            return page
        return self.windows[person].new_page()

    def picture(self, page: Page, name: str) -> None:
        page.screenshot(path=self.pictures / f"{name}.png", full_page=True)


def read_the_report(people: People) -> None:
    page = people.page("ola")
    page.goto("/evidence")
    expect(page.locator("h1")).to_contain_text(re.compile("NOT YET|NO-GO|GO"))
    people.picture(page, "evidence")
    page.goto("/reports")
    people.picture(page, "reports")
    compared = page.locator("tbody tr", has_text=re.compile("noise|match|differs", re.IGNORECASE)).first
    page.goto(compared.locator('a[href$="/report"], a[href*="/runs/"]').first.get_attribute("href").split("/report")[0] + "/report")
    expect(page.locator("body")).to_contain_text("Words")
    people.picture(page, "report")
    page.close()


def be_refused(people: People) -> None:
    """A move whose preconditions are not met is not made, and what was typed is still there."""
    page = people.page("ola")
    page.goto(MIGRATION)
    form = page.locator("form", has=page.locator('input[name="to"][value="cutover"]')).first
    percent = form.get_by_label(re.compile("^Percent"))
    if percent.count():
        percent.fill("100")
    form.get_by_label("Reason").fill("the evidence looks fine to me")
    form.get_by_label(re.compile("^Type")).fill(NAME)
    form.get_by_role("button", name=re.compile("cutover")).click()
    refused = page.get_by_role("alert")
    expect(refused).to_be_visible()
    assert refused.locator("li").count() or "runs" in refused.inner_text(), refused.inner_text()
    expect(form.get_by_label("Reason")).to_have_value("the evidence looks fine to me")
    expect(page.locator("ol.line [aria-current=step]")).to_contain_text("shadow")
    people.picture(page, "refused")
    page.close()


def review_by_keyboard(people: People) -> None:
    """Three items, without touching the mouse."""
    page = people.page("rey")
    page.goto("/reviews")
    people.picture(page, "reviews")
    page.goto(page.locator('a[href*="/reviews/items/"]').first.get_attribute("href"))
    seen = []
    for number in range(3):
        expect(page.locator("#verdict")).to_be_visible()
        seen.append(page.url.split("?")[0])
        if number == 0:
            people.picture(page, "item")
        with page.expect_navigation():
            page.keyboard.press("1")
        expect(page.get_by_text(re.compile("accepted by rey"))).to_be_visible()
        page.wait_for_load_state("load")
    assert len(set(seen)) == 3, seen
    # A key that somebody types into a text is a letter.
    page.keyboard.press("n")
    page.keyboard.type("2 much")
    expect(page.locator("#reason")).to_have_value("2 much")
    # Keys can be switched off.
    page.locator("#reason").blur()
    page.keyboard.press("?")
    page.locator("#keys-on").uncheck()
    here = page.url
    page.keyboard.press("1")
    page.keyboard.press("j")
    assert page.url == here, page.url
    page.close()


def move(people: People) -> None:
    """One asks, taking upon themselves what is missing; another approves."""
    page = people.page("apo")
    page.goto(MIGRATION)
    form = page.locator("form", has=page.locator('input[name="to"][value="cutover"]')).first
    percent = form.get_by_label(re.compile("^Percent"))
    if percent.count():
        percent.fill("100")
    form.get_by_label("Reason").fill("the reports were read, and nothing is left to ask")
    for box in form.get_by_role("checkbox").all():
        box.check()
    form.get_by_label(re.compile("^Type")).fill(NAME)
    form.get_by_role("button", name=re.compile("cutover")).click()
    expect(page.locator("#requests")).to_contain_text("the reports were read, and nothing is left to ask")
    assert page.get_by_role("button", name=re.compile("^Approve")).count() == 0, "one's own request"
    people.picture(page, "requested")
    other = people.page("bo")
    other.goto(MIGRATION)
    other.get_by_role("button", name=re.compile("^Approve the move to cutover")).click()
    expect(other.locator("ol.line [aria-current=step]")).to_contain_text("cutover")
    people.picture(other, "approved")
    page.close()
    other.close()


def watch(people: People) -> None:
    """A run's steps change before one's eyes, on a page that is loaded once."""
    page = people.page("vi")
    page.goto("/runs")
    known = set(page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.id)"))
    print("arrive", flush=True)
    page.wait_for_function(
        "known => [...document.querySelectorAll('tbody tr')].some(row => !known.includes(row.id))",
        arg=sorted(known),
    )
    now = page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.id)")
    [new] = set(now) - known
    page.goto(f"/runs/{new}")
    page.evaluate("window.loadedOnce = true")
    states = "() => [...document.querySelectorAll('svg.graph a.step')].map(a => a.getAttribute('class')).join()"
    before = page.evaluate(states)
    people.picture(page, "watching")
    page.wait_for_function(f"before => ({states})() !== before", arg=before)
    people.picture(page, "watching-later")
    page.wait_for_function("() => /Completed|Ended/.test(document.querySelector('.title .badge').innerText)")
    assert page.evaluate("window.loadedOnce"), "the page was loaded anew"
    people.picture(page, "watched")
    page.close()


def go_back(people: People) -> None:
    """One press, and the control serves everybody."""
    page = people.page("ola")
    page.goto(MIGRATION)
    page.locator("#back").get_by_role("button").click()
    expect(page.locator("ol.line [aria-current=step]")).to_contain_text("shadow")
    people.picture(page, "back")
    page.close()


def pages(page: Page) -> list[str]:
    """Every sort of page there is, by an address each."""
    found = ["/", MIGRATION, "/recordings", "/runs", "/reviews", "/reviews/clusters", "/reviews/rules",
             "/evidence", "/gate", "/reports", "/breaker", "/audit", "/replays", "/settings",
             "/doctor", "/nowhere"]
    for start, pattern in [("/runs", r"^/runs/[^/]+$"), ("/recordings", r"^/recordings/[^/?]+$"),
                           ("/reviews", r"^/reviews/items/[^/?]+"), ("/reviews/clusters", r"^/reviews/clusters/[^/?]+"),
                           ("/runs", r"^/runs/[^/]+$")]:
        page.goto(start)
        links = page.locator("main a").evaluate_all("all => all.map(a => a.getAttribute('href') || '')")
        one = next((link for link in links if re.match(pattern, link)), None)
        if one and one not in found:
            found.append(one)
            if start == "/runs":
                found.append(f"{one}/report")
    return found


def is_usable(people: People) -> None:
    """No page has anything that axe-core finds, by day, by night, and on a telephone."""
    axe, found = Axe(), []
    page = people.page("ada")
    for path in ["/sign-in", *pages(page)]:
        for scheme, size in [("light", WIDE), ("dark", WIDE), ("light", NARROW)]:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            page.goto(path, wait_until="load")
            # Names without ids are the same each time.
            parts = path.split("?")[0].strip("/").split("/")
            name = "-".join("one" if re.search(r"\d", part) else part for part in parts) or "overview"
            people.picture(page, f"page-{name}-{scheme}-{size['width']}")
            result = axe.run(page)
            for violation in result.response["violations"]:
                places = [node["target"] for node in violation["nodes"][:3]]
                found.append(f"{path} ({scheme}, {size['width']}): {violation['id']}: {violation['help']} {places}")
            across = page.evaluate("document.documentElement.scrollWidth")
            if across > size["width"]:
                found.append(f"{path} is {across} wide where {size['width']} are shown")
    page.close()
    assert not found, "\n" + "\n".join(found)


def works_without_script(people: People) -> None:
    """Whoever has no script sees and does the same."""
    window = people.browser.new_context(base_url=people.root, viewport=WIDE, java_script_enabled=False)
    window.add_cookies(people.windows["ola"].cookies())
    page = window.new_page()
    page.goto(MIGRATION)
    page.get_by_text("Place a hold").click()
    page.locator("#hold-reason").fill("until monday")
    page.locator("#hold").get_by_role("button").click()
    expect(page.locator("#holds")).to_contain_text("until monday")
    page.locator("#holds").get_by_role("button", name=re.compile("^Release")).first.click()
    expect(page.locator("#holds")).to_contain_text("Nobody holds")
    window.close()


JOURNEY = [read_the_report, be_refused, review_by_keyboard, move, watch, go_back, works_without_script, is_usable]


def main() -> None:
    root, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not installed"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        people = People(browser, root, folder)
        for part in JOURNEY:
            print(json.dumps({"part": part.__name__}), file=sys.stderr, flush=True)
            try:
                part(people)
            except BaseException:
                for number, page in enumerate(page for window in browser.contexts for page in window.pages):
                    people.picture(page, f"failed-{part.__name__}-{number}")
                raise
        browser.close()
    print("done", flush=True)


if __name__ == "__main__":
    main()
