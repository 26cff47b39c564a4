"""The stored segments for the operator, to look at and not to edit."""

from functools import partial, partialmethod
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path

from sequence import conf
from sequence.errors import FiboError
from sequence.index.failures import Failures
from sequence.models import Segment
from sequence.operations import populate, reconcile, verify
from sequence.protocol.query import whole_number
from sequence.segments import budget, build, inventory
from sequence.text.layout import segment_name
from sequence.web import plots

PATIENCE_S = 5
"""How long the page waits until the store is populated."""

admin.site.site_header = admin.site.site_title = "FiboService"
admin.site.index_title = "The store"


@admin.register(Segment)
class SegmentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The segments with their totals: read only, as rows are derived from files.

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
        """Return the rows of numbers that segments can have, without their long checksums."""
        return inventory.rows().order_by(*self.get_ordering(request) or ("number",))

    def get_urls(self) -> list[URLPattern]:
        """Return the admin's own addresses, and those of the two forms of the list."""
        populate = self.admin_site.admin_view(self.populate_view)
        remove = self.admin_site.admin_view(self.remove_strays_view)
        # The admin finds an address by such a name.
        return [
            path("populate/", populate, name="sequence_segment_populate"),
            path("remove-strays/", remove, name="sequence_segment_remove_strays"),
            *super().get_urls(),
        ]

    def _has_permission(self, request: HttpRequest, *_: Any, act: str) -> bool:
        return bool(request.user.has_perm(f"sequence.{get_permission_codename(act, self.opts)}"))

    has_verify_permission = partialmethod(_has_permission, act="verify")
    has_repair_permission = partialmethod(_has_permission, act="repair")
    has_populate_permission = partialmethod(_has_permission, act="populate")

    def _never(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _never

    @admin.action(permissions=["verify"], description="Verify the selected segments")
    def verify(self, request: HttpRequest, segments: QuerySet[Segment]) -> None:
        """Show what is wrong with them, and change nothing."""
        count, wrong = self._show_findings(request, segments)
        messages.success(request, f"Verified {count}: {count - wrong} right, {wrong} wrong.")

    @admin.action(permissions=["repair"], description="Repair the selected segments")
    def repair(self, request: HttpRequest, segments: QuerySet[Segment]) -> None:
        """Show what is wrong with them, and repair it."""
        repairs = Failures("repaired", partial(messages.error, request))
        count, wrong = self._show_findings(request, segments, repairs)
        messages.success(request, f"Repaired {wrong - len(repairs.sentences)} of {count}.")

    def _show_findings(
        self, request: HttpRequest, segments: QuerySet[Segment], repairs: Failures | None = None
    ) -> tuple[int, int]:
        """Show what is wrong; return how many segments were verified, and how many are wrong."""
        numbers = segments.order_by("number").values_list("number", flat=True)
        names = [segment_name(number) for number in numbers]
        wrong = 0
        for verified in verify.files(names, build.BUILDERS, repairs):
            for finding in verified.findings:
                messages.warning(request, f"{finding.name}: {finding.sentence}")
            wrong += bool(verified.findings)
        return len(names), wrong

    def remove_strays_view(self, request: HttpRequest) -> HttpResponse:
        """Remove the rows that are of no segment, and have those of files without one written."""
        if request.method != "POST" or not self.has_repair_permission(request):
            raise PermissionDenied
        try:
            messages.success(request, f"Removed {inventory.remove_strays():,} rows of no segment.")
            # Such a row may have been that of a file once.
            reconcile.submit()
        except (OSError, DatabaseError) as error:
            messages.error(request, f"The rows cannot be removed: {error}.")
        return redirect("admin:sequence_segment_changelist")

    def populate_view(self, request: HttpRequest) -> HttpResponse:
        """Have the first terms stored, and return to the list with the outcome."""
        if not self.has_populate_permission(request):
            raise PermissionDenied
        try:
            upto = whole_number("upto", request.POST.get("upto"), conf.max_sn())
            self._populate(request, upto)
        except (FiboError, OSError, DatabaseError) as error:
            messages.error(request, str(error))
        return redirect("admin:sequence_segment_changelist")

    def _populate(self, request: HttpRequest, upto: int) -> None:
        try:
            built = populate.submit(upto).result(PATIENCE_S)
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
        """Return the page of a segment, with the form to repair it."""
        context = {"may_repair": self.has_repair_permission(request)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the list, with the totals of the store and the forms that the operator may use."""
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
