"""The stored segments for the operator, to look at and not to edit."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial, partialmethod
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from sequence import conf
from sequence.accounts import history
from sequence.errors import FiboError, ParameterError
from sequence.index import engine
from sequence.index.failures import Failures
from sequence.models import Segment, is_time
from sequence.operations import jobs, populate, reconcile, verify
from sequence.protocol.query import whole_number
from sequence.segments import inventory
from sequence.text.layout import digit_count, offset, segment_name
from sequence.web import plots
from sequence.web.forms import plain

PATIENCE_S = 0.5
"""How long the list waits for the end of a job that was just started."""

LIST = "admin:sequence_segment_changelist"

_TERM = re.compile(r"[Ff]\s*\(?(.*?)\)?", re.DOTALL)
"""A search for a term."""

admin.site.site_header = admin.site.site_title = "FiboService"
admin.site.index_title = "The store"


@admin.register(Segment)
class SegmentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The segments with their totals: read only, as rows are derived from files.

    Of a row, which may be damaged, only the number is used: arithmetic knows the rest, and `state`
    says where the row differs.
    """

    list_display = (
        *("number", "state", "terms", "bytes", "served", "checked_blocks", "repaired"),
        *("built_at", "read_at"),
    )
    fields = readonly_fields = (
        *("number", "file", "terms", "offset", "bytes", "digits", "state"),
        *("served", "checked_blocks", "repaired", "built_at", "read_at"),
    )
    search_fields = ("=number",)
    list_per_page = 100
    actions = ("verify", "repair")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """Return the rows of numbers that segments can have, without their long checksums."""
        return inventory.rows().order_by(*self.get_ordering(request) or ("number",))

    def get_urls(self) -> list[URLPattern]:
        """Return the admin's own addresses, and those of the forms of the list."""
        views = {
            "populate": self.populate_view,
            "verify-all": self.verify_all_view,
            "repair-found": self.repair_found_view,
            "repair-all": self.repair_all_view,
            "stop": self.stop_view,
            "remove-strays": self.remove_strays_view,
            "holder": self.holder_view,
        }
        # The admin finds an address by such a name.
        own = [
            path(f"{word}/", self.admin_site.admin_view(view), name=f"sequence_segment_{word}")
            for word, view in views.items()
        ]
        return own + super().get_urls()

    def _has_permission(self, request: HttpRequest, *_: Any, act: str) -> bool:
        return bool(request.user.has_perm(f"sequence.{get_permission_codename(act, self.opts)}"))

    has_verify_permission = partialmethod(_has_permission, act="verify")
    has_repair_permission = partialmethod(_has_permission, act="repair")
    has_populate_permission = partialmethod(_has_permission, act="populate")

    def has_stop_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may start a job of some kind."""
        return any(
            self._has_permission(request, act=act) for act in ("verify", "repair", "populate")
        )

    def _never(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _never

    @admin.action(permissions=["verify"], description="Verify the selected segments")
    def verify(self, request: HttpRequest, segments: QuerySet[Segment]) -> None:
        """Have them compared with arithmetic, and nothing changed."""
        _start_on(request, _names(segments), "Verifying")

    @admin.action(permissions=["repair"], description="Repair the selected segments")
    def repair(self, request: HttpRequest, segments: QuerySet[Segment]) -> None:
        """Have them compared with arithmetic, and what is wrong repaired."""
        _start_on(request, _names(segments), "Repairing", Failures("repaired"))

    def repair_found_view(self, request: HttpRequest) -> HttpResponse:
        """Have those files repaired that a job has found to be wrong, with a row or without one."""
        _assert_posted(request, self.has_repair_permission)
        names = [*filter(conf.layout().is_name, request.POST.getlist("name"))]
        _start_on(request, names, "Repairing", Failures("repaired"))
        return redirect(LIST)

    def verify_all_view(self, request: HttpRequest) -> HttpResponse:
        """Have all that is stored compared with arithmetic."""
        _assert_posted(request, self.has_verify_permission)
        _start(request, history.ALL, f"Verifying {history.ALL}.", verify.all_as_job)
        return redirect(LIST)

    def repair_all_view(self, request: HttpRequest) -> HttpResponse:
        """Have all that is stored compared with arithmetic, and what is wrong repaired."""
        _assert_posted(request, self.has_repair_permission)
        work = partial(verify.all_as_job, repairs=Failures("repaired"))
        _start(request, history.ALL, f"Repairing {history.ALL}.", work)
        return redirect(LIST)

    def populate_view(self, request: HttpRequest) -> HttpResponse:
        """Have the first terms stored."""
        _assert_posted(request, self.has_populate_permission)
        try:
            upto = whole_number("upto", plain(request.POST.get("upto", "")), conf.max_sn())
        except ParameterError as error:
            messages.error(request, str(error))
        else:
            what = f"the first {upto:,} terms"
            _start(request, what, f"Populating: {what}.", partial(populate.as_job, upto))
        return redirect(LIST)

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        """Have the job that runs stop after the segments that it is at."""
        _assert_posted(request, self.has_stop_permission)
        jobs.stop()
        return redirect(LIST)

    def remove_strays_view(self, request: HttpRequest) -> HttpResponse:
        """Remove the rows that are of no segment, and have those of files without one written."""
        _assert_posted(request, self.has_repair_permission)
        try:
            removed = f"Removed {inventory.remove_strays():,} rows of no segment."
            # Such a row may have been that of a file once.
            reconcile.submit()
            name = engine.current().name
            history.write(_user_id(request), name, messages.SUCCESS, removed, name)
            messages.success(request, removed)
        except (OSError, DatabaseError) as error:
            messages.error(request, f"The rows cannot be removed: {error}.")
        return redirect(LIST)

    def holder_view(self, request: HttpRequest) -> HttpResponse:
        """Show the segment that holds a term: a search for F(n), for those who do not know that."""
        query = urlencode({SEARCH_VAR: f"F({request.GET.get('n', '').strip()})"})
        return redirect(f"{reverse(LIST)}?{query}")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Segment], search_term: str
    ) -> tuple[QuerySet[Segment], bool]:
        """Return the segment of that number, or the one that holds F(n)."""
        if (n := _term(search_term)) is None:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(number=conf.layout().segment_of(n)), False

    @admin.display
    def state(self, segment: Segment) -> str:
        """What is wrong with the row, and with the length of its file."""
        return " ".join(inventory.faults_at_once(segment)) or "stored"

    @admin.display(description="built", ordering="created_at")
    def built_at(self, segment: Segment) -> str:
        """When it was built."""
        return _time(segment.created_at)

    @admin.display(description="last read", ordering="served_at")
    def read_at(self, segment: Segment) -> str:
        """When it was read for the last time."""
        return _time(segment.served_at)

    @admin.display(ordering="number")
    def terms(self, segment: Segment) -> str:
        """Return the first and the last term."""
        terms = inventory.planned(segment).terms
        return f"{terms.start:,} – {terms.stop - 1:,}"

    @admin.display(ordering="number")
    def bytes(self, segment: Segment) -> str:
        """Return the length."""
        return f"{inventory.planned(segment).length_bytes:,}"

    @admin.display(description="digits")
    def digits(self, segment: Segment) -> str:
        """Return how many digits the terms have together."""
        planned = inventory.planned(segment)
        return f"{planned.length_bytes - planned.term_count:,}"

    @admin.display(description="name")
    def file(self, segment: Segment) -> str:
        """Return the name of the file."""
        return inventory.planned(segment).name

    @admin.display(description="offset in the text", ordering="number")
    def offset(self, segment: Segment) -> str:
        """Return the offset of the first byte."""
        return f"{inventory.planned(segment).start_offset:,}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page of a segment, with the forms to verify and repair it."""
        context = {
            "may_verify": self.has_verify_permission(request),
            "may_repair": self.has_repair_permission(request),
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return what was done to a segment, by itself and with all others, newest first."""
        entries = self.get_paginator(request, history.of_segment(object_id), 100)
        context = {"action_list": entries.get_page(request.GET.get(PAGE_VAR, 1))}
        return super().history_view(request, object_id, context | (extra_context or {}))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the list, with the latest job, the totals, and the forms that may be used."""
        found = inventory.take()
        context = {
            "title": "The stored segments",
            "job": _latest_job(),
            "holder": _holder(request.GET.get(SEARCH_VAR, "")),
            "totals": {name: f"{total:,}" for name, total in found.totals().items()},
            "missing": len(found.missing),
            "strays": inventory.strays().count(),
            "coverage": plots.coverage(found),
            "max_sn": conf.max_sn(),
            "may_populate": self.has_populate_permission(request),
            "may_verify": self.has_verify_permission(request),
            "may_repair": self.has_repair_permission(request),
            "may_stop": self.has_stop_permission(request),
        }
        return super().changelist_view(request, context | (extra_context or {}))


@admin.register(LogEntry)
class LogEntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What operators did: read only."""

    list_display = ("when", "user", "what", "outcome")
    list_display_links = None
    list_select_related = ("user",)
    list_filter = ("user",)
    search_fields = ("object_repr", "change_message")
    list_per_page = 100

    def _never(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _never

    class Media:
        css = {"all": ["sequence/admin.css"]}  # noqa: RUF012

    @admin.display(ordering="action_time")
    def when(self, entry: LogEntry) -> str:
        """When it was started."""
        return _time(entry.action_time)

    @admin.display(ordering="object_repr")
    def what(self, entry: LogEntry) -> str:
        """What it was about, as a link if that has a page."""
        if (entry.object_id or "").isdigit() and entry.get_admin_url():
            return format_html('<a href="{}">{}</a>', entry.get_admin_url(), entry.object_repr)
        return entry.object_repr

    @admin.display(description="what came of it")
    def outcome(self, entry: LogEntry) -> str:
        """Return the outcome, coloured by its level."""
        return format_html(
            '<span class="level-{}">{}</span>',
            entry.action_flag,
            entry.get_change_message() or entry,
        )


def _time(value: object) -> str:
    """Return a time, whose line may end before the hour; what a damaged row has there is none."""
    if not is_time(value):
        return "–"
    day, time = f"{value:%Y-%m-%d}", f"{value:%H:%M:%S}"
    return format_html('<span class="day">{}</span> {}', day, time)


def _assert_posted(request: HttpRequest, is_permitted: Callable[[HttpRequest], bool]) -> None:
    if request.method != "POST" or not is_permitted(request):
        raise PermissionDenied


def _user_id(request: HttpRequest) -> int:
    return cast("int", request.user.pk)


def _names(segments: QuerySet[Segment]) -> list[str]:
    return [*map(segment_name, segments.order_by("number").values_list("number", flat=True))]


def _start(
    request: HttpRequest, what: str, sentence: str, work: Callable[[jobs.Run], jobs.Outcome]
) -> None:
    """Start a job and wait a moment for its end; the list shows what becomes of it."""
    if jobs.progress():
        messages.error(request, "A job is running. Start this one when it has ended.")
        return
    try:
        if jobs.submit(_user_id(request), what, sentence, work).result(PATIENCE_S) is None:
            messages.error(request, "It cannot begin now: no thread can be started.")
    except TimeoutError:
        pass  # it goes on
    except (FiboError, OSError, DatabaseError) as error:
        messages.error(request, f"It cannot begin: {str(error).rstrip('.')}.")


def _start_on(
    request: HttpRequest, names: list[str], doing: str, repairs: Failures | None = None
) -> None:
    """Start a job about those files."""
    if not names:
        messages.warning(request, "No segments are left of those: there is nothing to do.")
        return
    what = names[0] if len(names) == 1 else f"{len(names):,} segments"
    _start(request, what, f"{doing} {what}.", partial(verify.as_job, names, repairs=repairs))


def _latest_job() -> dict[str, Any] | None:
    """Return what the list shows of the job that runs, or that was started last."""
    entry, progress = jobs.latest()
    if entry is None:
        return None
    if progress:
        return {"entry": entry, "progress": progress, "left": jobs.left(entry, progress)}
    if entry.action_flag == history.UNFINISHED:
        return {"entry": entry, "is_cut_off": True}
    findings = list(history.findings(entry)[: jobs.MAX_NOTED])
    wrong = [each.object_repr for each in findings if each.action_flag == messages.ERROR]
    are_all, are_segments = len(findings) < jobs.MAX_NOTED, all(map(conf.layout().is_name, wrong))
    return {
        "entry": entry,
        "findings": findings,
        "wrong": wrong,
        # What else is wrong, such as the index, is repaired with all; so are more than are noted.
        "repair": "repair-found" if are_all and are_segments else "repair-all",
    }


def _term(search: str) -> int | None:
    """Return n of a search for F(n) that can be stored; None for any other search."""
    found = _TERM.fullmatch(search.strip())
    with suppress(ParameterError):
        return found and whole_number("n", plain(found[1]), max(conf.max_sn() - 1, 0))
    return None


def _holder(search: str) -> dict[str, Any] | None:
    """Return what the list says of the segment that holds the term that is searched for."""
    n, layout = _term(search), conf.layout()
    if n is None:
        return {"max_n": conf.max_sn() - 1} if _TERM.fullmatch(search.strip()) else None
    planned = layout.planned(layout.segment_of(n))
    return {
        "n": n,
        "digits": digit_count(n),
        "planned": planned,
        "position": offset(n) - planned.start_offset,
        "is_stored": inventory.is_stored(planned.number),
    }
