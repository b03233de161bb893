"""When pages first paint, and how many bytes they take: python paint.py ROOT PATH...

Each page is loaded by a browser that has nothing of it yet, as on somebody's first visit.
"""

import shutil
import sys

from playwright.sync_api import sync_playwright

FIGURES = """() => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const parts = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  return [paint ? paint.startTime : null, parts.reduce((sum, part) => sum + part.transferSize, 0), parts.length];
}"""


def main() -> None:
    root, paths = sys.argv[1], sys.argv[2:]
    print(f"{'page':<44}  paint ms      KB  requests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        for path in paths:
            window = browser.new_context(viewport={"width": 1280, "height": 900})
            page = window.new_page()
            page.goto(root + path, wait_until="load")
            page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
            paint, size, requests = page.evaluate(FIGURES)
            print(f"{path:<44}  {paint:>8.0f}  {size / 1024:>6.1f}  {requests:>8}", flush=True)
            window.close()
        browser.close()


if __name__ == "__main__":
    main()
