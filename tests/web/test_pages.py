"""The pages in a real browser: what they show, build and fetch, for whom, and at what weight."""

import contextlib
import gzip
import re
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, CDPSession, Page, Route, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from pypdf import PdfReader

from sequence.text import facts, layout
from sequence.text.leading import leading_digits
from tests.support import oracle
from tests.support.processes import manage
from tests.support.servers import Server, served

SCREENFUL_BYTES = 1200

PHONE, DESKTOP = 360, 1280
KILOBYTE = 1000

PAGES = {
    "front": "/",
    "front with F(10^18)": "/?n=10%5E18",
    "front with a window": "/?ask=50%2C000&start=0&format=bfile",
    "form that was refused": "/?sn=many&start=5&format=csv",
    "field that was refused": "/?n=many",
    "look-up that was refused": "/look-up?digits=12",
    "short term": "/terms/10",
    "term of 20,899 digits": "/terms/99999",
    "term at 10^18": f"/terms/{10**18}",
    "value that is a term": "/terms?value=144",
    "value that is none": f"/terms?value={'7' * 3000}",
    "refusal": "/terms/07",
    "plots": "/plots",
    "plots of few": "/plots?sn=20",
    "documentation": "/docs/",
    "reference": "/docs/api",
    "guide": "/docs/downloading",
    "check values": "/docs/check-your-arithmetic",
    "about": "/about",
}
each_page = pytest.mark.parametrize("target", PAGES.values(), ids=PAGES)
each_width = pytest.mark.parametrize("width", [PHONE, DESKTOP])
each_scheme = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has the first of its segments stored."""
    with served(tmp_path_factory.mktemp("pages") / "data") as server:
        manage(server.data_dir, "prepopulate", "--upto=3000")
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; playwright has none of its own here."""
    with sync_playwright() as playwright:
        options = (
            *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        )
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        yield browser
        browser.close()


class Visit:
    """A page of the browser on the server, and what went wrong in it."""

    def __init__(self, browser: Browser, server: Server, **options: Any) -> None:
        self.server = server
        self.root = f"http://localhost:{server.port}"
        context = browser.new_context(
            **{"permissions": ["clipboard-read", "clipboard-write"]} | options
        )
        self.page: Page = context.new_page()
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.page.on(
            "request", lambda request: self.requests.append(f"{request.method} {request.url}")
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))

    def to(self, target: str) -> Page:
        """The page at that address."""
        response = self.page.goto(self.root + target)
        if response and response.status >= 400:
            # That is all that the browser may complain of.
            assert self.errors.pop().startswith("Failed to load resource: the server responded")
        return self.page

    def downloads(self) -> list[str]:
        """What the page asked for terms."""
        return [each for each in self.requests if "?sn=" in each]

    def devtools(self) -> CDPSession:
        """Chromium's own protocol, for the network."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Network.enable")
        return session

    def slow_down(self, bits_per_second: int, latency_ms: int) -> CDPSession:
        """Chromium's protocol, with the network as slow as that."""
        session = self.devtools()
        session.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": latency_ms,
                "downloadThroughput": bits_per_second / 8,
                "uploadThroughput": bits_per_second / 8,
            },
        )
        return session


@pytest.fixture
def visit(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A visit in which nothing may go wrong: no error, no violation, no request elsewhere."""
    visit = Visit(browser, server, **getattr(request, "param", {}))
    yield visit
    visit.page.context.close()
    assert visit.errors == []
    assert [each for each in visit.requests if f" {visit.root}/" not in each] == []


def ask(page: Page, sn: object, start: object = 0, format: str = "text") -> None:
    """Fills the form."""
    page.fill("#sn", str(sn))
    page.fill("#start", str(start))
    page.select_option("#format", format)


class Window(NamedTuple):
    """What is put into the form, and what comes of it."""

    sn: int
    start: int
    format: str
    target: str
    file: str

    def asked(self, visit: Visit) -> Page:
        """The front page, after it has answered the form."""
        page = visit.to("/")
        ask(page, self.sn, self.start, self.format)
        expect(page.locator("#address")).to_have_text(visit.root + self.target)
        return page


WINDOWS = [
    Window(20, 0, "text", "/?sn=20", "fibonacci-20.txt"),
    Window(0, 0, "text", "/?sn=0", "fibonacci-0.txt"),
    Window(700, 12, "text", "/?sn=700&start=12", "fibonacci-700-from-12.txt"),
    Window(999, 0, "bfile", "/?sn=999&format=bfile", "fibonacci-999.bfile.txt"),
    Window(30, 5, "jsonl", "/?sn=30&start=5&format=jsonl", "fibonacci-30-from-5.jsonl"),
    Window(2500, 1, "csv", "/?sn=2500&start=1&format=csv", "fibonacci-2500-from-1.csv"),
]
each_window = pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.target)


@each_window
def test_the_page_builds_the_address_and_the_lines(visit: Visit, window: Window) -> None:
    page = window.asked(visit)
    address, file = visit.root + window.target, window.file
    assert page.get_attribute("#download", "href") == address
    assert page.inner_text("#curl") == f"curl -f -C - -o {file} '{address}'"
    assert page.inner_text("#wget") == f"wget -c -O {file} '{address}'"
    assert f'urlretrieve("{address}", "{file}")' in page.inner_text("#python")


@each_window
def test_the_size_and_the_beginning_are_those_of_the_bytes_delivered(
    visit: Visit, window: Window
) -> None:
    page = window.asked(visit)
    _, _, body = visit.server.get(window.target)
    plural = "" if len(body) == 1 else "s"
    assert page.inner_text("#size") == f"{len(body):,} byte{plural}, exactly."
    shown = str(page.text_content("#screen")).removesuffix("…") if body else ""
    # HTML has one kind of line ends.
    assert shown == body[:SCREENFUL_BYTES].decode().replace("\r\n", "\n")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == window.file
    assert download.value.path().read_bytes() == body


def test_the_page_says_the_size_and_the_lines_before_anything_is_asked(visit: Visit) -> None:
    page = visit.to("/")
    assert page.inner_text("#size") == f"{len(oracle.text(0, 1000)):,} bytes, exactly."
    assert page.inner_text("#curl") == f"curl -f -C - -o fibonacci-1000.txt '{visit.root}/?sn=1000'"


@pytest.mark.parametrize("typed", ["100000", "100,000", "100 000", "100_000", "10^5", "1e5"])
def test_the_cost_of_a_gigabyte_is_told_without_a_byte_of_it(visit: Visit, typed: str) -> None:
    page = visit.to("/")
    ask(page, typed)
    expect(page.locator("#size")).to_have_text("1,045,042,806 bytes, exactly.")
    cost = page.inner_text("#cost")
    assert "1.05 GB" in cost
    assert "1 min 24 s at 100 Mbit/s" in cost
    assert "446 MB (zstd) or 457 MB (gzip)" in cost
    assert page.inner_text("#download") == "Download 1.05 GB"
    assert page.locator("#show").count() == 0
    assert visit.downloads() == []
    assert not (visit.server.data_dir / "segments" / "00000001.txt").exists()


def test_the_form_survives_a_reload_and_the_way_back(visit: Visit) -> None:
    page = visit.to("/")
    ask(page, "50,000", 12, "bfile")
    told = expect(page.locator("#address"))
    target = f"{visit.root}/?sn=50000&start=12&format=bfile"
    told.to_have_text(target)
    expect(page).to_have_url(re.compile(r"/\?ask=50%2C000&start=12&format=bfile$"))
    page.reload()
    told.to_have_text(target)
    page.click("text=Plots >> nth=0")
    page.go_back()
    told.to_have_text(target)
    assert page.input_value("#sn") == "50,000"
    assert page.input_value("#format") == "bfile"


@pytest.mark.parametrize(
    ("typed", "n"),
    [("777", 777), ("10,946", 10_946), ("10^18", 10**18), ("F(0)", 0), ("1e6", 10**6), ("59", 59)],
)
def test_the_field_answers_while_it_is_typed_into(visit: Visit, typed: str, n: int) -> None:
    page = visit.to("/")
    page.fill("#n", "")
    page.locator("#n").press_sequentially(typed)
    link = page.locator("#permalink")
    expect(link).to_have_text(f"{visit.root}/terms/{n}")
    ends = page.locator(".ends b").all_inner_texts()
    assert page.inner_text(".figures dd >> nth=0") == f"{layout.digit_count(n):,}"
    assert ends[0].startswith(facts.first_digits(n))
    assert ends[-1].endswith(facts.last_digits(n))
    page.reload()
    expect(link).to_have_text(f"{visit.root}/terms/{n}")
    page.press("#n", "Enter")
    expect(page.locator("h1")).to_have_text(f"F({n:,})")


def test_what_the_field_says_last_is_about_what_was_typed_last(visit: Visit) -> None:
    page = visit.to("/")
    late: list[Route] = []
    page.route(re.compile(r"\?n=1$"), lambda route: late.append(route))  # noqa: PLW0108 (it is inspected)
    page.fill("#n", "1")
    page.wait_for_timeout(400)
    page.fill("#n", "12")
    expect(page.locator("#permalink")).to_have_text(f"{visit.root}/terms/12")
    with contextlib.suppress(PlaywrightError):  # the page wants it no more
        late[0].continue_()
    page.wait_for_timeout(300)
    assert page.inner_text("#permalink") == f"{visit.root}/terms/12"


@pytest.mark.parametrize("line", ["#python", "#curl", "#wget"])
def test_a_line_that_is_copied_makes_the_download(visit: Visit, line: str, tmp_path: Path) -> None:
    page = visit.to("/")
    ask(page, 2000, 5, "bfile")
    target = "/?sn=2000&start=5&format=bfile"
    expect(page.locator("#address")).to_have_text(visit.root + target)
    page.click(f"[data-copies={line[1:]}]")
    expect(page.locator(f"[data-copies={line[1:]}]")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.inner_text(line)
    subprocess.run(["/bin/sh", "-c", copied], cwd=tmp_path, capture_output=True, check=True)
    _, _, body = visit.server.get(target)
    assert (tmp_path / "fibonacci-2000-from-5.bfile.txt").read_bytes() == body


@pytest.mark.parametrize(
    ("sn", "start", "words"),
    [(100_001, 0, "100000"), (1, 100_000, "99999"), (-1, 0, "to 100,000"), ("", 0, "to 100,000")],
)
def test_what_cannot_be_had_is_said_and_not_asked_for(
    visit: Visit, sn: int, start: int, words: str
) -> None:
    page = visit.to("/")
    ask(page, sn, start)
    expect(page.locator("#asked .fault")).to_contain_text(words)
    assert page.locator("#download").count() == 0
    assert visit.downloads() == []
    assert all("status of 400" in error for error in visit.errors)
    visit.errors.clear()


def test_a_failure_of_the_server_is_said(visit: Visit) -> None:
    page = visit.to("/")
    page.route("**/?ask=*", lambda route: route.fulfill(status=503, body="Please try again."))
    ask(page, 30)
    expect(page.locator("#asked")).to_have_text("There is no answer now.")
    assert all("status of 503" in error for error in visit.errors)
    visit.errors.clear()


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_the_form_works_without_javascript(visit: Visit) -> None:
    page = visit.to("/")
    assert page.is_hidden("[data-copies=curl]")
    ask(page, "12", 3, "lines")
    page.click("#ask button")
    assert page.url == f"{visit.root}/?ask=12&start=3&format=lines#ask-title"
    assert page.inner_text("#size") == f"{len(oracle.text(3, 15))} bytes, exactly."
    page.click("#show")
    assert page.url == f"{visit.root}/?sn=12&start=3&format=lines"
    assert page.inner_text("body").split() == oracle.text(3, 15).decode().split()


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
@pytest.mark.parametrize(
    ("target", "field", "typed", "words"),
    [
        ("/?sn=10,946&start=7&format=csv", "sn", "10,946", "sn is '10,946'"),
        ("/?sn=5&start=x", "start", "x", "start is 'x'"),
        ("/?ask=many&start=0&format=text", "sn", "many", "sn is 'many'"),
        ("/?n=-5", "n", "-5", "n is '-5'"),
        ("/look-up?n=x", "n", "x", "n is 'x'"),
        ("/look-up?value=ten", "value", "ten", "value is 'ten'"),
        ("/look-up?digits=12.3", "some-digits", "12.3", "digits is '12.3'"),
    ],
)
def test_an_error_keeps_what_was_typed_and_says_what_is_wrong_at_the_form(
    visit: Visit, target: str, field: str, typed: str, words: str
) -> None:
    page = visit.to(target)
    assert page.input_value(f"#{field}") == typed
    assert words in page.inner_text(".fault")


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_numbers_are_looked_up_and_plotted_without_javascript(visit: Visit) -> None:
    page = visit.to("/")
    page.fill("#value", "6,765")
    page.click("text=Ask")
    page.click("h1 a")
    assert page.inner_text("h1") == "F(20)"
    page.fill("#mod", "1,000")
    page.click("text=Compute")
    assert page.inner_text("#residue [role=status]").startswith("F(20) mod 1000 = 765.")
    page.click("text=Plots >> nth=0")
    page.fill("#count", "50")
    page.click("main button >> nth=0")
    assert page.input_value("#count") == "50"
    assert page.locator("figure svg").count() >= 4


@pytest.mark.parametrize("target", ["/", "/terms/777", "/terms/10?format=json", "/openapi.json"])
def test_pages_and_json_are_sent_in_gzip_to_those_who_accept_it(
    server: Server, target: str
) -> None:
    asks = {"Accept": "text/html"}
    _, plain, whole = server.get(target, Accept_Encoding="identity", **asks)
    status, coded, packed = server.get(target, Accept_Encoding="gzip", **asks)
    if len(whole) < 1024:
        assert "Content-Encoding" not in coded
        return
    assert (status, coded["Content-Encoding"]) == (200, "gzip")
    assert coded["Content-Length"] == str(len(packed))
    assert len(packed) < len(whole) / 2
    assert gzip.decompress(packed) == whole
    # RFC 9110, section 8.8.3.3.
    assert coded["ETag"] != plain["ETag"]
    again, *_ = server.get(target, Accept_Encoding="gzip", If_None_Match=coded["ETag"], **asks)
    assert again == 304
    _, part, body = server.get(target, Accept_Encoding="gzip", Range="bytes=5-9", **asks)
    assert ("Content-Encoding" in part, body) == (False, whole[5:10])


@pytest.mark.parametrize("typed", ["31.12.1990", "1990-12-31", "12/31/1990", "31 12 1990"])
def test_a_birthday_is_looked_for_by_its_digits(server: Server, typed: str) -> None:
    status, headers, _ = server.get(f"/look-up?digits={quote(typed)}")
    assert (status, headers["Cache-Control"]) == (302, "no-store")
    assert headers["Location"] == f"/terms?contains={re.sub('[^0-9]', '', typed)}"


def test_a_random_term_is_one_that_has_its_digits_here(server: Server) -> None:
    found = {int(server.get("/look-up?n=random")[1]["Location"].split("/")[-1]) for _ in range(9)}
    assert max(found) < 100_000
    assert len(found) > 1


def test_arrow_keys_lead_to_the_neighbours_but_not_in_a_field(visit: Visit) -> None:
    page = visit.to("/terms/20")
    page.keyboard.press("ArrowRight")
    expect(page.locator("h1")).to_have_text("F(21)")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("h1")).to_have_text("F(20)")
    page.focus("#value")
    page.keyboard.press("ArrowRight")
    page.focus("#digits")
    page.keyboard.press("Alt+ArrowUp")
    page.wait_for_timeout(200)
    assert page.inner_text("h1") == "F(20)"


@pytest.mark.parametrize("n", [0, 777, 99_999])
def test_the_line_that_checks_a_term_prints_the_hash_that_the_page_has(
    visit: Visit, n: int
) -> None:
    page = visit.to(f"/terms/{n}")
    line = page.inner_text("#check")
    printed = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True, text=True)
    assert printed.stdout.split()[0] == page.inner_text(".hash")
    assert page.inner_text(".hash") in page.inner_text("#bibtex")


@pytest.mark.parametrize("target", ["/", "/terms/777"])
def test_a_page_has_its_address_and_a_description_for_those_who_link_to_it(
    visit: Visit, target: str
) -> None:
    page = visit.to(f"{target}?mod=7" if target != "/" else target)
    assert page.get_attribute("link[rel=canonical]", "href") == visit.root + target
    shared = target if target == "/" else f"{target}?format=html"
    assert page.get_attribute("meta[property='og:url']", "content") == visit.root + shared
    for name in ("[name=description]", "[property='og:title']", "[property='og:description']"):
        assert len(page.get_attribute(f"meta{name}", "content") or "") > 20
    picture = str(page.get_attribute("meta[property='og:image']", "content"))
    status, headers, _ = visit.server.get(picture.removeprefix(visit.root))
    assert (status, headers["Content-Type"]) == (200, "image/png")
    icon = str(page.get_attribute("link[rel=apple-touch-icon]", "href"))
    _, headers, body = visit.server.get(icon)
    assert (headers["Content-Type"], body[:4]) == ("image/png", b"\x89PNG")


def test_everything_is_reached_by_the_keyboard(visit: Visit) -> None:
    page = visit.to("/")
    page.keyboard.press("Tab")
    assert page.inner_text(":focus") == "To the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    reached, length = set(), len(oracle.text(0, 40))
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
        if page.evaluate("document.activeElement.id") == "sn":
            page.keyboard.type("40")
            expect(page.locator("#size")).to_have_text(f"{length} bytes, exactly.")
    assert {"sn", "start", "format", "download", "value", "n", "some-digits", "screen"} <= reached


def test_the_first_terms_lead_to_their_pages(visit: Visit) -> None:
    page = visit.to("/")
    terms = page.locator(".terms a").all_inner_texts()
    assert terms == oracle.text(0, 31).decode().split()
    page.click("text=75025")
    assert page.inner_text("h1") == "F(25)"


@pytest.mark.parametrize("n", [0, 1, 2, 10, 1000, 2999])
def test_a_term_has_its_digits_and_its_facts(visit: Visit, n: int) -> None:
    digits = oracle.terms(n + 1)[n].decode().strip()
    page = visit.to(f"/terms/{n}")
    assert page.inner_text("h1") == f"F({n:,})"
    plural = "" if len(digits) == 1 else "s"
    assert page.inner_text("#digits-title") == f"{len(digits):,} digit{plural}"
    page.click("[data-copies=digits]")
    expect(page.locator("[data-copies=digits]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == digits
    facts = page.inner_text("main")
    assert f"byte {len(oracle.text(0, n)):,} of segment 0, 00000000.txt" in facts
    assert digits[:20] in facts
    assert digits[-20:] in facts


def test_digits_are_copied_if_the_browser_lends_no_clipboard(visit: Visit) -> None:
    """As on a page of another host without https:."""
    digits = oracle.terms(1001)[1000].decode().strip()
    visit.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page = visit.to("/terms/1000")
    page.click("[data-copies=digits]")
    expect(page.locator("[data-copies=digits]")).to_have_text("Copied")
    page.focus("#value")
    page.keyboard.press("Control+V")
    assert page.input_value("#value") == digits


def test_a_residue_is_shown_if_it_is_asked_for(visit: Visit) -> None:
    page = visit.to("/terms/20?mod=1000")
    assert page.inner_text("#residue [role=status]").startswith("F(20) mod 1000 = 765.")


def test_a_term_of_many_digits_is_shown_whole_in_a_page_that_is_not_too_long(
    shared_server: Server,
) -> None:
    asked = "/terms/622000"
    _, _, digits = shared_server.get(asked)
    _, headers, packed = shared_server.get(asked, Accept="text/html", Accept_Encoding="gzip")
    shown = re.findall("<i>([0-9]*)</i>", gzip.decompress(packed).decode())
    assert "".join(shown) == digits.decode().strip()
    assert headers["Content-Encoding"] == "gzip"
    assert len(packed) < 100_000


def test_of_the_longest_terms_both_ends_are_shown(shared_server: Server) -> None:
    _, _, digits = shared_server.get("/terms/1000000")
    _, _, html = shared_server.get("/terms/1000000", Accept="text/html")
    whole, parts = digits.decode().strip(), html.decode().split("<p>…</p>")
    first, last = ("".join(re.findall("<i>([0-9]*)</i>", part)) for part in parts)
    assert len(first) == 65_000
    assert 64_900 < len(last) <= 65_000
    assert whole.startswith(first)
    assert whole.endswith(last)
    ruler = [int(at.replace(",", "")) for at in re.findall('data-at="([0-9,]*)"', parts[1])]
    assert ruler == list(range(len(whole) - len(last) + 1, len(whole) + 1, 100))
    assert ruler[0] % 100 == 1
    assert b'data-copies="digits"' not in html


@pytest.mark.parametrize("n", [5, 400, 477, 478, 2999])
def test_the_ruler_tells_the_place_of_each_hundredth_digit(visit: Visit, n: int) -> None:
    digits = oracle.terms(n + 1)[n].decode().strip()
    page = visit.to(f"/terms/{n}")
    lines = page.locator("#digits p").all()
    assert [line.text_content() for line in lines] == [
        digits[start : start + 100] for start in range(0, len(digits), 100)
    ]
    if len(lines) > 1:
        ruler = [str(line.get_attribute("data-at")).replace(",", "") for line in lines]
        assert ruler == [str(at) for at in range(1, len(digits) + 1, 100)]


@pytest.mark.parametrize("n", [2, 100, 1000, 99_999, 10**18])
def test_the_identity_is_shown(visit: Visit, n: int) -> None:
    page = visit.to(f"/terms/{n}")
    assert page.inner_text("#identity") == f"F({n:,}) = F({n - 1:,}) + F({n - 2:,})"
    ends = [value.partition("…") for value in page.locator(".sum code").all_inner_texts()]
    first, second, total = (int(last or first) for first, _, last in ends)
    assert (first + second - total) % 10**10 == 0


def test_the_terms_lead_to_one_another(visit: Visit) -> None:
    page = visit.to("/terms/0")
    assert page.locator("[rel=prev]").count() == 0
    page.click("[rel=next]")
    page.click("[rel=next]")
    page.click("[rel=prev]")
    assert page.inner_text("h1") == "F(1)"
    page = visit.to(f"/terms/{10**18}")
    assert page.locator("[rel=next]").count() == 0
    page.click("[rel=prev]")
    assert page.inner_text("h1") == f"F({10**18 - 1:,})"


def test_a_term_is_looked_up_by_its_number(visit: Visit) -> None:
    page = visit.to("/plots")
    page.fill("#n", "10,000,001")
    page.press("#n", "Enter")
    expect(page.locator("h1")).to_have_text("F(10,000,001)")
    assert page.locator("#digits").count() == 0
    assert "2,089,877 digits" in page.inner_text("main")


def test_digits_are_found_and_the_page_has_an_address_of_its_own(visit: Visit) -> None:
    page = visit.to("/")
    page.fill("#some-digits", "1990-12-31")
    page.press("#some-digits", "Enter")
    (n,) = re.findall(r"is in F\(([0-9,]+)\)", page.inner_text("h1"))
    assert page.url == f"{visit.root}/terms?contains=19901231"
    assert page.inner_text("mark") == "19901231"
    shown = page.inner_text(".found").strip("…")
    assert shown in oracle.terms(int(n.replace(",", "")) + 1)[-1].decode()
    page = visit.to("/terms?contains=1234123412341234")
    assert "is in none of them" in page.inner_text("h1")


@pytest.mark.parametrize(
    ("value", "answer", "links"),
    [
        ("1", "Yes: it is F(1) and F(2)", ["/terms/1", "/terms/2"]),
        ("144", "Yes: it is F(12)", ["/terms/12"]),
        ("145", "No: it lies between F(12) and F(13)", ["/terms/12", "/terms/13"]),
    ],
)
def test_a_number_is_said_to_be_a_term_or_not(
    visit: Visit, value: str, answer: str, links: list[str]
) -> None:
    page = visit.to(f"/terms?value={value}")
    assert page.inner_text("h1") == answer
    found = page.locator("h1 a").all()
    assert [link.get_attribute("href") for link in found] == links


@pytest.mark.parametrize("target", ["/", "/plots"])
def test_no_input_cuts_what_is_pasted_into_it(visit: Visit, target: str) -> None:
    page, pasted = visit.to(target), "1" * 30_000
    fields = page.locator("input:visible").all()
    assert len(fields) >= 3
    for field in fields:
        field.fill(pasted)
        # A number beyond those of JavaScript is none at all.
        assert field.input_value() in (pasted, "")
        assert field.evaluate("field => field.validationMessage") != ""


def test_a_value_that_is_too_long_is_refused_with_the_limit(visit: Visit) -> None:
    page = visit.to("/")
    page.fill("#value", "1" * 8000)
    assert page.evaluate("document.querySelector('#value').validity.valid")
    page.fill("#value", "1" * 8001)
    page.press("#value", "Enter")
    assert page.url == f"{visit.root}/"
    assert "8000" in str(page.get_attribute("#value", "title"))
    for digits, status, limit in [(8001, 400, "8000"), (9000, 414, "8190")]:
        found, _, sentence = visit.server.get(f"/terms?value={'1' * digits}")
        assert (found, limit in sentence.decode()) == (status, True)


def test_a_browser_downloads_what_is_too_long_to_be_shown(visit: Visit) -> None:
    page = visit.to("/")
    ask(page, 100_000)
    expect(page.locator("#asked")).to_contain_text("longer than 5,000,000 bytes")
    with page.expect_download() as download:
        page.evaluate("location.assign('/?sn=100000')")
    assert download.value.suggested_filename == "fibonacci-100000.txt"
    download.value.cancel()
    assert visit.to("/?sn=1000").inner_text("body").startswith("0 1 1 2 3 5 8 ")


@pytest.mark.parametrize("landscape", [False, True])
@pytest.mark.parametrize("target", ["/terms/5", "/terms/20000", "/terms/99999", "/terms?value=145"])
def test_paper_has_every_digit(visit: Visit, target: str, landscape: bool) -> None:
    page = visit.to(target)
    digits = re.sub(r"\D", "", page.inner_text("#digits"))
    printed = PdfReader(BytesIO(page.pdf(format="A4", landscape=landscape)))
    found = re.sub(r"[^\d.]", "", "".join(sheet.extract_text() for sheet in printed.pages))
    assert digits in found


@each_page
def test_nothing_is_cut_on_paper(visit: Visit, target: str) -> None:
    """What scrolls on a screen is as large on paper as what it holds."""
    page = visit.to(target)
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 1000})
    cut = page.evaluate(
        """[...document.querySelectorAll("main *, main")]
        .filter((e) => getComputedStyle(e).overflow !== "visible" && e.localName !== "input")
        .filter((e) => e.scrollHeight > e.clientHeight || e.scrollWidth > e.clientWidth)
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert cut == []
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 34, 36)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 700


def cells(page: Page, plot: int) -> list[list[str]]:
    """The table of a plot, without commas."""
    page.click(f"summary >> nth={plot}")
    rows = page.locator("details").nth(plot).locator("tbody tr").all()
    return [
        [cell.replace(",", "") for cell in row.locator("th, td").all_inner_texts()] for row in rows
    ]


def test_the_plots_have_their_data(visit: Visit) -> None:
    page = visit.to("/plots?sn=3000")
    terms = oracle.terms(3001)
    assert cells(page, 0)[-1] == ["3000", str(len(terms[3000]) - 1)]
    assert cells(page, 1)[-1] == ["3000", str(len(oracle.text(0, 3000)))]
    counts = [str(count) for count in leading_digits(3000)]
    assert [row[1] for row in cells(page, 2)] == counts
    assert page.locator("figure").nth(2).locator("rect").count() == 9
    assert page.locator("figure").nth(2).locator("circle").count() == 9
    for plot in (0, 1):
        points = page.locator("polyline").nth(plot).get_attribute("points") or ""
        assert len(points.split()) == 101
    _, segments, share, length = cells(page, 3)[0]
    stored = [path.stat().st_size for path in (visit.server.data_dir / "segments").glob("*.txt")]
    assert (int(segments), int(length)) == (len(stored), sum(stored))
    assert 0 < float(share) < 100
    assert page.locator("figure").nth(3).locator("rect").count() >= 1


def test_every_plot_says_in_words_what_it_shows(visit: Visit) -> None:
    page = visit.to("/plots")
    for plot in page.locator("figure > svg").all():
        assert len(plot.locator("title").first.inner_html()) > 30
    assert page.get_by_role("group", name="A straight line").count() == 1
    assert page.get_by_role("group", name="A parabola").count() == 1


def test_a_plot_tells_its_values_to_the_pointer_and_to_the_keyboard(visit: Visit) -> None:
    page = visit.to("/plots?sn=3000")
    told = page.locator("figure").first.locator(".reading", has_text="F(1,200): 251 digits")
    words = told.locator("text")
    expect(words).not_to_be_visible()
    told.locator(".area").hover()
    expect(words).to_be_visible()
    page.mouse.move(0, 0)
    expect(words).not_to_be_visible()
    told.focus()
    expect(words).to_be_visible()
    page.keyboard.press("Tab")
    expect(words).not_to_be_visible()
    expect(page.get_by_role("img", name="F(1,800): 376 digits").locator("text")).to_be_visible()


def test_the_walk_is_of_the_modulus_that_was_asked_for(visit: Visit) -> None:
    page = visit.to("/plots?sn=20")
    page.fill("#mod", "10")
    page.click("text=Draw")
    assert page.input_value("#count") == "20"
    walk = page.locator(".walk polyline").get_attribute("points") or ""
    assert len(walk.split()) == 61
    page.fill("#count", "30")
    page.click("button:text-is('Plot')")
    assert page.input_value("#mod") == "10"


@each_page
@each_width
def test_nothing_is_wider_than_the_screen(
    browser: Browser, server: Server, target: str, width: int
) -> None:
    visit = Visit(browser, server, viewport={"width": width, "height": 740})
    page = visit.to(target)
    for summary in page.locator("summary").all():
        summary.click()
    if target == "/":
        ask(page, 10, 99_000)
        expect(page.locator("#size")).to_have_text("206,919 bytes, exactly.")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.context.close()


@each_page
@each_scheme
def test_axe_finds_nothing(browser: Browser, server: Server, target: str, scheme: str) -> None:
    visit = Visit(browser, server, color_scheme=scheme)
    page = visit.to(target)
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()
    page.context.close()


@pytest.mark.parametrize(
    ("target", "most"), [("/", 25), ("/terms/777", 20), ("/terms/99999", 40), ("/plots", 40)]
)
def test_a_page_weighs_little(visit: Visit, target: str, most: int) -> None:
    """Headers and all, as it comes over the network."""
    weights: list[float] = []
    visit.devtools().on(
        "Network.loadingFinished", lambda event: weights.append(event["encodedDataLength"])
    )
    visit.to(target).wait_for_timeout(300)
    assert len(weights) == len(visit.requests)
    assert sum(weights) < most * KILOBYTE


@each_page
@each_width
def test_a_page_does_not_shift(browser: Browser, server: Server, target: str, width: int) -> None:
    visit = Visit(browser, server, viewport={"width": width, "height": 740})
    visit.page.add_init_script(
        """window.shifted = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) window.shifted += entry.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    page = visit.to(target)
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifted") <= 0.02
    page.context.close()


@pytest.mark.parametrize("n", ["5", "10^18", "many"])
def test_an_answer_moves_nothing_that_is_below_it(visit: Visit, n: str) -> None:
    page = visit.to("/")
    before = page.locator("#first-title").bounding_box()
    page.fill("#n", n)
    page.wait_for_timeout(600)
    assert page.locator("#first-title").bounding_box() == before
    visit.errors.clear()


@pytest.mark.parametrize("target", ["/", "/plots", "/terms/2999"])
def test_a_page_is_complete_within_a_second_on_a_slow_phone(visit: Visit, target: str) -> None:
    """At 1.6 Mbit/s and 150 ms there and back, with nothing in the browser's cache."""
    visit.slow_down(bits_per_second=1_600_000, latency_ms=150)
    page = visit.to(target)
    page.wait_for_function("performance.timing.loadEventEnd > 0")
    timing = page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
    assert timing < 1000


def test_static_files_are_kept_for_good_and_compressed(server: Server) -> None:
    _, _, html = server.get("/", Accept="text/html")
    names = re.findall(r'"(/static/sequence/page[^"]*)"', html.decode())
    assert len(names) == 2
    for name in names:
        assert re.search(r"\.[0-9a-f]{12}\.(css|js)$", name)
        _, headers, _ = server.get(name, Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip"
        assert "immutable" in headers["Cache-Control"]


@pytest.mark.parametrize("name", ["sequence/page.css", "sequence/icon.svg", "admin/css/base.css"])
def test_a_strong_etag_is_of_one_coding_alone(server: Server, name: str) -> None:
    """RFC 9110, section 8.8.3.3."""
    etags: dict[str | None, str] = {}
    for accepted in ("gzip", "identity"):
        _, headers, _ = server.get(f"/static/{name}", Accept_Encoding=accepted)
        etags[headers.get("Content-Encoding")] = headers["ETag"]
        status, again, body = server.get(
            f"/static/{name}", Accept_Encoding=accepted, If_None_Match=headers["ETag"]
        )
        assert (status, again["ETag"], body) == (304, headers["ETag"], b"")
    assert set(etags) == {"gzip", None}
    strong = [etag for etag in etags.values() if not etag.startswith("W/")]
    assert len(strong) == len(set(strong))


def test_the_admin_obeys_the_policy_too(visit: Visit) -> None:
    manage(
        visit.server.data_dir,
        *("createsuperuser", "--noinput", "--username=operator", "--email=", "--verbosity=0"),
        DJANGO_SUPERUSER_PASSWORD="a long one",  # noqa: S106
    )
    page = visit.to("/admin/")
    page.fill("#id_username", "operator")
    page.fill("#id_password", "a long one")
    page.click("[type=submit]")
    page.click("a:text-is('Segments')")
    assert "The store holds" in page.inner_text("#totals")
    assert page.locator(".coverage rect").count() >= 1
    page.fill("#upto", "30000")
    page.click("text=Populate")
    expect(page.locator("#job .outcome")).to_contain_text(
        "The first 30,000 terms are stored: built "
    )
    page.check("#result_list tbody input >> nth=1")
    page.select_option("select[name=action]", "verify")
    page.click("button[name=index]")
    expect(page.locator("#job .outcome")).to_contain_text("Verified 1")
    page.click("#result_list tbody a >> nth=0")
    assert "00000000.txt" in page.inner_text("#content")
