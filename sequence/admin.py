"""The stored segments for the operator, to look at and not to touch."""

from concurrent.futures import Future
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path

from sequence import conf
from sequence.errors import FiboError
from sequence.index import health
from sequence.index.failures import Failures
from sequence.models import Segment
from sequence.operations import populate, reconcile, verify
from sequence.protocol.query import whole_number
from sequence.segments import budget, build, inventory
from sequence.text.layout import segment_name
from sequence.web import plots

PATIENCE_S = 5
"""How long the page waits for what populates the store."""

admin.site.site_header = admin.site.site_title = "FiboService"
admin.site.index_title = "The store"


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that describe files; derived data, so there is nothing to edit."""

    def has_add_permission(self, *_: Any) -> bool:
        """They are made, not added."""
        return False

    def has_change_permission(self, *_: Any) -> bool:
        """They never change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A row without its file, or a file without its row, would be a lie."""
        return False


@admin.register(Segment)
class SegmentAdmin(ReadOnlyAdmin):
    """The segments with their totals.

    Of a row, which may be damaged, only the number is used: arithmetic knows the rest, and `wrong`
    says where the row differs.
    """

    list_display = (
        *("number", "wrong", "terms", "bytes", "served", "checked_blocks", "repaired"),
        *("created_at", "served_at"),
    )
    fields = ("file", "offset", "digits", *list_display)
    readonly_fields = fields
    search_fields = ("=number",)
    search_help_text = "The number of a segment"
    list_per_page = 100
    actions = ("verify", "repair")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """The segments that can be, without their checksums, which are long."""
        return inventory.rows().order_by(*self.get_ordering(request) or ("number",))

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses, and that of the form to populate."""
        populate = self.admin_site.admin_view(self.populate_view)
        remove = self.admin_site.admin_view(self.remove_strays_view)
        # The names by which the admin finds an address.
        return [
            path("populate/", populate, name="sequence_segment_populate"),
            path("remove-strays/", remove, name="sequence_segment_remove_strays"),
            *super().get_urls(),
        ]

    def has_verify_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may have segments verified."""
        return self._may(request, "verify")

    def has_repair_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may have segments repaired."""
        return self._may(request, "repair")

    def has_populate_permission(self, request: HttpRequest) -> bool:
        """Whether the operator may have the store populated."""
        return self._may(request, "populate")

    def _may(self, request: HttpRequest, act: str) -> bool:
        return bool(request.user.has_perm(f"sequence.{get_permission_codename(act, self.opts)}"))

    @admin.action(permissions=["verify"], description="Verify the selected segments")
    def verify(self, request: HttpRequest, segments: QuerySet[Segment]) -> None:
        """Tells what is wrong with them, and changes nothing."""
        names = _names(segments)
        wrong = self._tell_findings(request, names)
        right = len(names) - len(wrong)
        messages.success(request, f"Verified {len(names)}: {right} right, {len(wrong)} wrong.")

    @admin.action(permissions=["repair"], description="Repair the selected segments")
    def repair(self, request: HttpRequest, segments: QuerySet[Segment]) -> None:
        """Makes those again that are wrong, and tells what was wrong with them."""
        names = _names(segments)
        wrong = self._tell_findings(request, names)
        failures = Failures("repaired", partial(messages.error, request))
        for name in wrong:
            with failures.about(name):
                verify.repair(name)
        repaired = len(wrong) - len(failures.sentences)
        messages.success(request, f"Repaired {repaired} of {len(names)}.")

    def _tell_findings(self, request: HttpRequest, names: list[str]) -> list[str]:
        """Shows what is wrong; returns the names of the segments with which something is."""
        wrong = []
        for verified in verify.verify(names, build.BUILDERS):
            for finding in verified.findings:
                messages.warning(request, f"{finding.name}: {finding.sentence}")
            if verified.findings:
                wrong.append(verified.name)
        return wrong

    def remove_strays_view(self, request: HttpRequest) -> HttpResponse:
        """Remove the rows that are of no segment, and write those of files without one."""
        if request.method != "POST" or not self.has_repair_permission(request):
            raise PermissionDenied
        try:
            messages.success(request, f"Removed {inventory.remove_strays():,} rows of no segment.")
            # Such a row may have been that of a file once.
            health.restorers.soon("take in", reconcile.take_in)
        except (OSError, DatabaseError) as error:
            messages.error(request, f"The rows cannot be removed: {error}.")
        return redirect("admin:sequence_segment_changelist")

    def populate_view(self, request: HttpRequest) -> HttpResponse:
        """Has the first terms stored, and goes back to the list with what came of it."""
        if not self.has_populate_permission(request):
            raise PermissionDenied
        try:
            upto = whole_number("upto", request.POST.get("upto"), conf.max_sn())
            building = populate.soon(upto)
            self._tell_populated(request, upto, building)
        except (FiboError, OSError, DatabaseError) as error:
            messages.error(request, str(error))
        return redirect("admin:sequence_segment_changelist")

    def _tell_populated(
        self, request: HttpRequest, upto: int, building: Future[list[Segment] | None]
    ) -> None:
        try:
            built = building.result(PATIENCE_S)
        except TimeoutError:
            left = len(populate.missing(upto))
            messages.info(
                request, f"{left:,} segments are still to be built; this page shows those that are."
            )
            return
        if built is None:
            messages.error(request, "Populating cannot begin now: no thread can be started.")
        else:
            length_bytes = sum(segment.length_bytes for segment in built)
            messages.success(
                request,
                f"The first {budget.max_terms(upto):,} terms are stored: "
                f"built {len(built):,} segments, {length_bytes:,} bytes.",
            )

    @admin.display(description="what is wrong")
    def wrong(self, segment: Segment) -> str:
        """What is wrong with the row and its file."""
        return " ".join(inventory.faults_at_once(segment)) or "–"

    @admin.display(ordering="number")
    def terms(self, segment: Segment) -> str:
        """The first and the last term."""
        terms = inventory.planned(segment).terms
        return f"{terms.start:,} – {terms.stop - 1:,}"

    @admin.display(ordering="number")
    def bytes(self, segment: Segment) -> str:
        """The length."""
        return f"{inventory.planned(segment).length_bytes:,}"

    @admin.display(description="digits")
    def digits(self, segment: Segment) -> str:
        """How many digits the terms have together."""
        planned = inventory.planned(segment)
        return f"{planned.length_bytes - planned.term_count:,}"

    @admin.display(description="name")
    def file(self, segment: Segment) -> str:
        """The name of the file."""
        return inventory.planned(segment).name

    @admin.display(description="offset in the text", ordering="number")
    def offset(self, segment: Segment) -> str:
        """The offset of the first byte."""
        return f"{inventory.planned(segment).start_offset:,}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of a segment, with the way to repair it."""
        context = {"may_repair": self.has_repair_permission(request)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the totals over the store and what it may have done."""
        found = inventory.take()
        context = {
            "totals": {name: f"{total:,}" for name, total in found.totals().items()},
            "missing": len(found.missing),
            "strays": inventory.strays().count(),
            "coverage": plots.coverage(found),
            "max_sn": conf.max_sn(),
            "may_populate": self.has_populate_permission(request),
            "may_repair": self.has_repair_permission(request),
        }
        return super().changelist_view(request, context | (extra_context or {}))


def _names(segments: QuerySet[Segment]) -> list[str]:
    numbers = segments.order_by("number").values_list("number", flat=True)
    return [segment_name(number) for number in numbers]
