"""The page as people use it, in a real Chromium."""

import base64
import time
from datetime import date
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ren_features import FeatureStore
from ren_features.report import write_report
from tests.ren_features.report.chromium import open_chromium

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium():
    try:
        browser = open_chromium()
    except FileNotFoundError as absent:
        pytest.skip(str(absent))
    with browser:
        yield browser


@pytest.fixture(scope="module")
def address(cohort, tmp_path_factory):
    """Where the page of the cohort is."""
    path = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(cohort.store, path, on=date(2026, 1, 2))
    return path.as_uri()


@pytest.fixture
def page(chromium, address):
    """The page, freshly opened; nothing may be complained of in the browser's console when the test is over."""
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get(address)
    yield chromium
    assert chromium.get_log("browser") == []


def wait(condition, seconds=5):
    """What the condition gives once it gives something."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the page did not get there"
        time.sleep(0.02)
    return found


def one(page, selector):
    return page.find_element(By.CSS_SELECTOR, selector)


def shown(page):
    """Names of the scans in the gallery, in order."""
    return page.execute_script("return shownScans().map((scan) => page.scans[scan])")


def is_open(page):
    return page.execute_script("return viewer.open")


def open_scan(page, scan_id):
    """Follow the link to a scan; the browser tells the page of the new address only afterwards."""
    page.find_element(By.LINK_TEXT, scan_id).click()
    wait(lambda: is_open(page))


def open_address(page, scan_id):
    page.get(f"{page.current_url}#scan={scan_id}")
    wait(lambda: is_open(page))


def close_scan(page, scan_id):
    """Press Escape; the link to the scan then has the focus."""
    press(page, Keys.ESCAPE)
    wait(lambda: not is_open(page) and page.switch_to.active_element.text == scan_id)


def title(page):
    return one(page, "#viewer-title").text


def press(page, *keys):
    ActionChains(page).send_keys(*keys).perform()


def choose(page, kind):
    one(page, f"[name=show][value={kind}] + span").click()


def button(page, heading):
    return page.find_element(By.XPATH, f"//th/button[.='{heading}']")


def wait_for_picture(page):
    # A picture without a source is complete too, and has no width.
    wait(lambda: page.execute_script("return picture.complete && picture.naturalWidth"))


def pixels_shown(page):
    """The opened scan's picture as the browser decoded it, shape (row, column, 3)."""
    wait_for_picture(page)
    encoded = page.execute_script("""
        const canvas = document.createElement("canvas");
        canvas.width = picture.naturalWidth;
        canvas.height = picture.naturalHeight;
        canvas.getContext("2d").drawImage(picture, 0, 0);
        return canvas.toDataURL("image/png").split(",")[1];
    """)
    return pixels_of(BytesIO(base64.b64decode(encoded)))


def pixels_of(file):
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"), int)


def test_flagged_scans_are_found_and_each_shows_its_own_picture(page, cohort):
    with FeatureStore(cohort.store) as store:
        flagged = store.sql("SELECT DISTINCT scan_id FROM quality WHERE severity <> 'info' ORDER BY 1")["scan_id"].to_list()
    choose(page, "flagged")
    assert sorted(shown(page)) == flagged
    assert one(page, "#count").text == f"{len(flagged)} of 201 scans"
    open_scan(page, shown(page)[0])
    pictures = [pixels_of(path) for path in cohort.pictures.values()]
    for scan_id in shown(page)[:8]:
        assert title(page) == scan_id
        if scan_id != cohort.unpictured:
            seen = pixels_shown(page)
            distances = [np.abs(seen - picture).mean() for picture in pictures]
            assert list(cohort.pictures)[int(np.argmin(distances))] == scan_id
            assert min(distances) < 0.5
        press(page, Keys.ARROW_RIGHT)


def test_thumbnails_are_read_when_they_come_into_view(page, cohort):
    wait(lambda: page.execute_script("return thumbnails.some((image) => image.src && image.complete)"))
    loaded = page.execute_script("return thumbnails.filter((image) => image.src).length")
    assert 0 < loaded < 40
    page.execute_script("rows.at(-1).scrollIntoView()")
    last = page.execute_script("return thumbnails.at(-1).closest('tr').querySelector('a').textContent")
    source = wait(lambda: page.execute_script("return thumbnails.at(-1).src"))
    stored = cohort.pictures[last].with_suffix(".thumb.webp").read_bytes()
    assert base64.b64decode(source.split(",")[1]) == stored


def test_values_are_those_of_the_scan_and_region(page, cohort):
    open_address(page, "c042")
    one(page, "[name=region][value=RLL] + span").click()
    one(page, "#feature").send_keys("firstorder_mean")
    rows = page.find_elements(By.CSS_SELECTOR, "#values tbody td:nth-child(2)")
    names = [row.text for row in page.find_elements(By.CSS_SELECTOR, "#values tbody td:first-child")]
    assert sorted(names) == ["Mean", "MeanAbsoluteDeviation"]
    with FeatureStore(cohort.store) as store:
        values = store.sql("SELECT scan_id, original_firstorder_Mean AS v FROM radiomics WHERE region = 'RLL'")
    (mine,) = values.filter(values["scan_id"] == "c042")["v"]
    assert float(rows[names.index("Mean")].text.replace("−", "-")) == pytest.approx(mine, rel=1e-6)
    rank = 100 * ((values["v"] < mine).sum() + 0.5) / len(values)
    percentiles = page.find_elements(By.CSS_SELECTOR, "#values tbody td:nth-child(4)")
    assert float(percentiles[names.index("Mean")].text) == pytest.approx(rank, abs=0.51)


def test_all_107_values_are_there_with_their_distribution(page):
    open_address(page, "c001")
    assert one(page, "#values-note").text == "107 values of LUL, among 200 scans"
    assert len(page.find_elements(By.CSS_SELECTOR, "#values svg .here")) == 107
    assert len(page.find_elements(By.CSS_SELECTOR, "#values tbody th")) == 7


def test_an_absent_region_has_no_values(page):
    open_address(page, "c005")
    one(page, "[name=region][value=RML] + span").click()
    assert one(page, "#values-note").text == "no values of RML"


def test_every_column_sorts_both_ways_with_unknown_last(page, cohort):
    with FeatureStore(cohort.store) as store:
        volumes = dict(store.sql("SELECT scan_id, volume_ml FROM radiomics WHERE region = 'RML'").rows())
    known = sorted(volumes.values())
    for direction, wanted in (("ascending", known), ("descending", known[::-1])):
        button(page, "RML").click()
        order = [volumes.get(scan_id) for scan_id in shown(page)]
        assert order == [*wanted, *[None] * (201 - len(known))]
        assert page.find_element(By.XPATH, "//th[button='RML']").get_attribute("aria-sort") == direction
    button(page, "Findings").click()
    button(page, "Findings").click()
    assert shown(page)[0] == cohort.hostile
    choose(page, "measured")
    for heading in ("Scan", "Patient", "Date", "Labels"):
        button(page, heading).click()
        keys = page.execute_script("""
            const column = document.querySelector("[aria-sort]").cellIndex;
            return shownRows().map((row) => row.cells[column].dataset.key).filter(Boolean);
        """)
        assert keys == sorted(keys)


def test_text_finds_patients_labels_and_findings(page):
    find = one(page, "#find")
    for sought, expected in (("P005", 2), ("ild=1", 81), ("region_absent", 33), ("volume_unusual p001", 1), ("nothing", 0)):
        find.clear()
        find.send_keys(sought)
        assert len(shown(page)) == expected, sought
    assert one(page, "#none").is_displayed()


def test_numbers_and_rules_lead_to_their_scans(page, cohort):
    one(page, ".numbers a.failed").click()
    assert wait(lambda: len(shown(page)) == 1 and shown(page)) == [cohort.hostile]
    page.find_element(By.LINK_TEXT, "region_absent").click()
    assert wait(lambda: len(shown(page)) == 33)
    assert one(page, "#find").get_attribute("value") == "region_absent"


def test_the_page_is_used_without_a_mouse(page):
    one(page, "#gallery tbody a").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    press(page, Keys.ENTER)
    first, second, third = shown(page)[:3]
    wait(lambda: is_open(page))
    assert title(page) == third
    press(page, Keys.ARROW_LEFT)
    assert title(page) == second
    assert page.execute_script("return location.hash") == f"#scan={second}"
    press(page, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert (title(page), one(page, "#viewer-place").text) == (first, "1 of 201")
    close_scan(page, first)
    press(page, Keys.SPACE)
    wait(lambda: is_open(page))


def test_every_control_is_reached_by_tab_and_visibly(page):
    page.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    reached = []
    for _ in range(30):
        press(page, Keys.TAB)
        active = page.switch_to.active_element
        reached.append(active.get_attribute("id") or active.get_attribute("name") or active.text)
        style = page.execute_script(
            "const at = document.activeElement, seen = at.type === 'radio' ? at.nextElementSibling : at;"
            "return getComputedStyle(seen).outlineStyle"
        )
        assert style != "none", reached
    assert {"find", "show", "Scan", "Findings"} <= set(reached)


def test_a_link_opens_its_scan_and_back_closes_it(page, address):
    page.get("about:blank")
    page.get(f"{address}#scan=c017")
    wait(lambda: is_open(page))
    assert title(page) == "c017"
    close_scan(page, "c017")
    page.execute_script("scrollTo(0, 0)")  # not beneath the bar that stays on top
    open_scan(page, "c003")
    page.back()
    wait(lambda: not is_open(page))


def test_hostile_text_stays_text(page, cohort):
    assert cohort.hostile in shown(page)
    choose(page, "failed")
    one(page, "#gallery tbody tr:not([hidden]) a").click()
    wait(lambda: is_open(page))
    assert page.execute_script("return document.getElementById('viewer-title').textContent") == cohort.hostile
    facts = one(page, "#viewer-facts").text
    assert "no such <i>.nii: expected an image file, found none" in facts
    assert "<img src=x>" in facts
    assert one(page, "#viewer-unpictured").is_displayed()
    page.refresh()
    wait(lambda: is_open(page))
    assert page.execute_script("return page.scans[shownScan]") == cohort.hostile


def test_nothing_is_asked_of_a_network(page, address):
    page.get_log("performance")
    page.get("about:blank")
    page.get(address + "#scan=c001")
    pixels_shown(page)
    asked = [entry["message"] for entry in page.get_log("performance") if 'Network.requestWillBeSent"' in entry["message"]]
    assert asked
    assert all('"url":"file:' in message or '"url":"data:' in message or '"url":"about:' in message for message in asked)


def test_a_script_that_is_not_the_pages_own_does_not_run(page):
    page.execute_script("""
        const script = document.createElement("script");
        script.textContent = "window.intruded = true";
        document.body.append(script);
    """)
    assert page.execute_script("return window.intruded") is None
    assert any("Content Security Policy" in entry["message"] for entry in page.get_log("browser"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_light_and_dark(page, scheme):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    pairs = page.execute_script("""
        const style = getComputedStyle(document.documentElement);
        return [["ink", "ground"], ["ink", "card"], ["muted", "ground"], ["muted", "card"], ["accent", "card"],
                ["info", "info-ground"],
                ["warning", "warning-ground"], ["error", "error-ground"], ["positive", "card"]]
            .map((pair) => pair.map((name) => style.getPropertyValue("--" + name).trim()));
    """)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    for one_colour, other in pairs:
        light, dim = sorted((luminance(one_colour), luminance(other)), reverse=True)
        assert (light + 0.05) / (dim + 0.05) > 4.5, (one_colour, other)


def luminance(colour):
    """Relative luminance of `#rgb` or `#rrggbb`, as WCAG 2 defines it."""
    digits = colour.removeprefix("#")
    wide = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = np.array([int(wide[at : at + 2], 16) / 255 for at in (0, 2, 4)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_narrow_window_scrolls_only_its_tables(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 420, "height": 860, "deviceScaleFactor": 1, "mobile": False}
    )
    overflow = page.execute_script("return document.documentElement.scrollWidth - innerWidth")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert overflow <= 0


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900), (1920, 1080), (700, 900)])
def test_the_large_picture_is_shown_whole(page, size):
    page.set_window_size(*size)
    try:
        open_scan(page, shown(page)[0])
        wait_for_picture(page)
        film, picture = page.execute_script("""
            return [".film", ".film img"].map((part) => document.querySelector(part).getBoundingClientRect())
                .map((box) => [box.top, box.bottom]);
        """)
        assert film[0] <= picture[0] < picture[1] <= film[1]
    finally:
        page.set_window_size(1440, 900)


def test_leafing_goes_on_from_the_last_scan(page):
    choose(page, "flagged")
    names = shown(page)
    open_scan(page, names[-2])
    button = page.find_element(By.ID, "next")
    button.click()
    assert title(page) == names[-1]
    assert button.get_attribute("aria-disabled") == "true"
    button.click()
    assert title(page) == names[-1]
    press(page, Keys.ARROW_LEFT)
    assert title(page) == names[-2]
