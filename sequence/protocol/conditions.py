"""Whether the bytes that a client knows are still these (RFC 9110, section 13)."""

import re
from collections.abc import Mapping

from sequence.errors import PreconditionFailed

# Section 8.8.3: entity-tag = [ weak ] opaque-tag; weak = %s"W/", in this case only. As elements
# of a list (section 5.6.1); what is none is ignored.
_ENTITY_TAGS = re.compile(r'(?:^|,)[ \t]*(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)')


def not_modified(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the answer is 304, as If-None-Match names the strong ETag.

    If-Match comes first (section 13.2.2): raises PreconditionFailed if it does not name it. The
    conditions on dates are ignored: nothing here has a date of modification (sections 13.1.3 and
    13.1.4).
    """
    if_match = headers.get("If-Match")
    if if_match is not None and not _names(if_match, etag, strong=True):
        raise PreconditionFailed(if_match, etag)
    if_none_match = headers.get("If-None-Match")
    return if_none_match is not None and _names(if_none_match, etag, strong=False)


def range_is_meant(headers: Mapping[str, str], etag: str) -> bool:
    """Whether Range counts: If-Range is absent or names the strong ETag.

    Section 13.1.5: by strong comparison. A date never matches, as there is none to compare.
    """
    return headers.get("If-Range", etag).strip(" \t") == etag


def _names(header: str, etag: str, *, strong: bool) -> bool:
    """Whether a list of entity tags, or "*", names this one (section 8.8.3.2)."""
    if header.strip(" \t") == "*":
        return True
    found = _ENTITY_TAGS.findall(header)
    return any(tag == etag and not (weak and strong) for weak, tag in found)
