"""Guides and the reference: every link leads somewhere, and nothing of their sources is lost."""

import json
import re
from html import unescape
from itertools import count

import pytest

from sequence.views import OPENAPI
from sequence.web import guides, reference
from sequence.web.guides import Step, read_guide, steps_of
from tests.support.processes import ROOT
from tests.support.servers import Server

DOCUMENT = json.loads(OPENAPI)
PAGES = ["/docs/", "/docs/api", "/about", *(f"/docs/{name}" for name in guides.NAMES)]


def html_of(server: Server, target: str) -> str:
    """The page at an address."""
    status, headers, body = server.get(target, Accept="text/html")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return body.decode()


def words(html: str) -> list[str]:
    """The words of a page, without its markup."""
    return re.findall(r"\w+", unescape(re.sub(r"<[^>]*>", " ", html)))


@pytest.mark.parametrize("target", PAGES)
def test_every_link_of_a_page_leads_to_something(shared_server: Server, target: str) -> None:
    html = html_of(shared_server, target)
    ids = set(re.findall(r' id="([^"]+)"', html))
    links = {unescape(each) for each in re.findall(r'href="([^"]+)"', html)}
    assert len(links) > 8
    for link in links:
        path, _, part = link.partition("#")
        if not path:
            assert part in ids
        elif path.startswith("/"):
            status, _, body = shared_server.get(path, Accept="text/html")
            assert status in (200, 301, 302), link
            assert not part or f' id="{part}"' in body.decode(), link


@pytest.mark.parametrize("target", PAGES)
def test_a_page_is_in_the_list_of_all(shared_server: Server, target: str) -> None:
    html = html_of(shared_server, target)
    for page in PAGES:
        assert f'<a href="{page}"' in html
    assert f'<a href="{target}" aria-current="page">' in html
    assert html.count("aria-current") == 1
    assert html.count("<h1") == 1


@pytest.mark.parametrize("name", guides.NAMES)
def test_a_page_has_every_word_of_its_document(shared_server: Server, name: str) -> None:
    shown = words(html_of(shared_server, f"/docs/{name}"))
    document = (ROOT / "docs" / f"{name}.md").read_text()
    # Targets of links and languages of fences are markup.
    plain = re.sub(r"\]\([^)]*\)|^```\w*( \w+)?$", " ", document, flags=re.M)
    plain = plain.replace(":8888", f":{shared_server.port}").replace("localhost", "127 0 0 1")
    missing = set(re.findall(r"\w+", plain)) - set(shown)
    assert missing == set()


def test_ids_are_unique() -> None:
    for name in guides.NAMES:
        guide = read_guide(name)
        ids = re.findall(r' id="([^"]+)"', guide.introduction + guide.sections)
        assert len(ids) == len(set(ids))


def test_a_console_is_commands_and_what_they_print() -> None:
    example = "$ one\n> more\n1\n2\n$ two\n$ three\n3\n"
    assert steps_of(example, count(1)) == [
        Step("code-1", "one\nmore", "1\n2\n"),
        Step("code-2", "two", ""),
        Step("code-3", "three", "3\n"),
    ]


def test_a_host_cannot_write_into_a_page() -> None:
    shown = read_guide("downloading").at('http://<b>"&/')
    assert "http://&lt;b&gt;&quot;&amp;" in shown.sections
    assert "<b>" not in shown.sections


@pytest.mark.parametrize("name", ["nope", "api.md", "..%2FREADME.md", "downloading.md", "LICENSE~"])
def test_other_names_are_not_found(shared_server: Server, name: str) -> None:
    assert shared_server.get(f"/docs/{name}")[0] == 404


@pytest.mark.parametrize("name", guides.FILES)
def test_a_file_is_given_as_it_is(shared_server: Server, name: str) -> None:
    status, headers, body = shared_server.get(f"/docs/{name}")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    (path,) = [each for each in (ROOT / name, ROOT / "docs" / name) if each.exists()]
    assert body == path.read_bytes()


def test_pages_are_revalidated_and_not_sent_again(shared_server: Server) -> None:
    _, headers, _ = shared_server.get("/docs/programs", Accept="text/html")
    assert headers["Cache-Control"] == "public, no-cache"
    status, _, body = shared_server.get(
        "/docs/programs", Accept="text/html", If_None_Match=headers["ETag"]
    )
    assert (status, body) == (304, b"")


def test_the_reference_has_all_that_is_described(shared_server: Server) -> None:
    html = html_of(shared_server, "/docs/api")
    shown = set(words(html))
    for path, of in DOCUMENT["paths"].items():
        assert f"<code>{path}</code>" in html
        assert set(re.findall(r"\w+", of["get"]["summary"])) <= shown
        for status in of["get"]["responses"]:
            assert f"<code>{status}</code>" in html
    for kind in ("parameters", "headers"):
        for component in DOCUMENT["components"][kind].values():
            assert set(re.findall(r"\w+", component["description"])) <= shown
    for schema in DOCUMENT["components"]["schemas"].values():
        for member in schema.get("properties", {}):
            assert f"<code>{member}</code>" in html


def test_the_reference_says_what_the_settings_allow(shared_server: Server) -> None:
    (root,) = [each for each in reference.operations(DOCUMENT) if each.path == "/"]
    assert [each.allowed for each in root.parameters][:1] == ["0 to 100,000"]
    html = html_of(shared_server, "/docs/api")
    assert "0 to 10¹⁸" in html
    assert "1 to 2¹²⁸" in html


def test_every_address_to_try_is_one_that_is_described() -> None:
    assert reference.EXAMPLES.keys() <= DOCUMENT["paths"].keys()


def test_the_limits_are_those_of_the_settings(shared_server: Server) -> None:
    assert "100,000, or 1,045,042,806 bytes" in html_of(shared_server, "/about")
