"""The guides of docs/ as pages: their Markdown as HTML, with headings and lines to copy."""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from itertools import count, pairwise
from pathlib import Path
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "http://localhost:8888"
"""The server that the examples ask; on a page it is the one that the page comes from."""
SHORT_CHARS = 24
"""How much code fits into a line of every screen."""
WORD_CHARS = 16
"""Longer words, such as hashes, are broken if they are in a table."""


def _read(*names: str) -> dict[str, str]:
    return {(DOCS / name).name: (DOCS / name).read_text() for name in names}


# Read here, as there may be no descriptor for a file when it is asked for.
SOURCES = _read(
    "downloading.md",
    "programs.md",
    "check-your-arithmetic.md",
    "check-values.md",
    "text-format.md",
    "glossary.md",
)
"""Those documents that are pages, in the order of their list."""
FILES = _read("verify_download.py", "../LICENSE")
"""What is given as it is."""
NAMES = [name.removesuffix(".md") for name in SOURCES]


class Guide(NamedTuple):
    """A document, ready for its page."""

    title: str
    summary: str
    """Its first sentence, as plain text."""
    headings: list[tuple[str, str]]
    """The id and the text of each section's."""
    introduction: SafeString
    sections: SafeString
    """The HTML of what stands before the first of them, and from there on."""

    def at(self, root: str) -> "Guide":
        """Return the guide with examples that ask the service at this address."""
        introduction, sections = (
            # What Markdown and code.html make is escaped; so is what takes the example's place.
            SafeString(html.replace(ADDRESS, escape(root.rstrip("/"))))
            for html in (self.introduction, self.sections)
        )
        return self._replace(introduction=introduction, sections=sections)


class Step(NamedTuple):
    """Code to copy, or a command, and what it prints."""

    id: str
    code: str
    printed: str


@cache
def read_guide(name: str) -> Guide:
    """Return the guide of this name."""
    tokens = _markdown.parse(SOURCES[f"{name}.md"])
    title, introduction = _inline(tokens)[:2]
    headings = _name_headings(tokens)
    _label_cells(tokens)
    for token in _inline(tokens):
        _lead_links(token.children or [])
        _hold_together(token.children or [])
    # The title is three tokens.
    cut = next((n for n, token in enumerate(tokens) if token.tag == "h2"), len(tokens))
    ids = {"ids": count(1)}
    summary = re.split(r"(?<=[.?])\s", _plain(introduction))[0]
    return Guide(
        _plain(title), summary, headings, _html(tokens[3:cut], ids), _html(tokens[cut:], ids)
    )


def line(markdown: str) -> SafeString:
    """Return a line of Markdown as HTML."""
    return SafeString(_markdown.renderInline(markdown))


def steps_of(example: str, ids: "count[int]") -> list[Step]:
    """Return the steps of a console: commands begin with `$ ` and go on with `> `."""
    parts = re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", example, re.MULTILINE)
    return [
        Step(f"code-{next(ids)}", re.sub(r"^> ", "", command, flags=re.M).rstrip("\n"), printed)
        for command, printed in parts
    ]


def _html(tokens: list[Token], ids: EnvType) -> SafeString:
    return SafeString(_markdown.renderer.render(tokens, _markdown.options, ids))


def _inline(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.type == "inline"]


def _plain(token: Token) -> str:
    """Return the words of a line or paragraph."""
    breaks = ("softbreak", "hardbreak")
    return "".join(" " if each.type in breaks else each.content for each in token.children or [])


def _name_headings(tokens: list[Token]) -> list[tuple[str, str]]:
    """Give headings the ids that GitHub gives them; return those of the sections."""
    found = []
    for heading, words in pairwise(tokens):
        if heading.type == "heading_open":
            plain = _plain(words)
            name = re.sub(r"[^\w -]", "", plain.lower()).replace(" ", "-")
            heading.attrSet("id", name)
            if heading.tag == "h2":
                found.append((name, plain))
    return found


def _label_cells(tokens: list[Token]) -> None:
    """Give each cell the head of its column, which narrow screens show beside it.

    Those with words that must be broken are marked: no other word is.
    """
    heads: list[str] = []
    column = 0
    for token, words in pairwise(tokens):
        match token.type:
            case "thead_open":
                heads = []
            case "tr_open":
                column = 0
            case "th_open":
                heads.append(_plain(words))
            case "td_open":
                token.attrSet("data-label", heads[column])
                if max(map(len, _plain(words).split()), default=0) > WORD_CHARS:
                    token.attrSet("class", "long")
                column += 1


def _lead_links(children: list[Token]) -> None:
    """Lead links to pages; leave the words alone of those to documents that are none."""
    kept = True
    for token in children:
        if token.type == "link_open":
            path, mark, part = str(token.attrs["href"]).partition("#")
            name = path.removesuffix(".md")
            kept = path.startswith("/") or not path or path in SOURCES or path in FILES
            base = path if path.startswith("/") or not path else f"/docs/{name}"
            token.attrSet("href", base + mark + part)
        if token.type in ("link_open", "link_close"):
            token.hidden = not kept


def _hold_together(children: list[Token]) -> None:
    """Have no line end inside of a short code, such as after the hyphen of an option."""
    for token in children:
        if token.type == "code_inline" and len(token.content) <= SHORT_CHARS:
            token.attrSet("class", "short")


def _code(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    env: EnvType,
) -> str:
    """Return the HTML of a block of code."""
    token = tokens[index]
    language = token.info.partition(" ")[0]
    if language == "console":
        steps = steps_of(token.content, env["ids"])
    elif language in ("", "text"):
        steps = [Step("", "", token.content)]
    else:
        steps = [Step(f"code-{next(env['ids'])}", token.content.rstrip("\n"), "")]
    return render_to_string("sequence/code.html", {"language": language, "steps": steps})


def _parser() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    for block in ("fence", "code_block"):
        markdown.add_render_rule(block, _code)
    return markdown


_markdown = _parser()
