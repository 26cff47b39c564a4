"""The stored segments for the operator, to look at and not to touch."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse

from sequence.models import CodedSegment, Segment

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
    """The segments with their totals."""

    list_display = ("number", "terms", "bytes", "digits", "offset", "created_at")
    fields = ("number", "name", "terms", "bytes", "digits", "offset", "created_at")
    readonly_fields = fields
    search_fields = ("=number",)
    search_help_text = "The number of a segment"
    list_per_page = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """The segments without their checksums, which are long."""
        return super().get_queryset(request).defer("block_checksums")

    @admin.display(ordering="first_term")
    def terms(self, segment: Segment) -> str:
        """The first and the last term."""
        return f"{segment.first_term:,} – {segment.last_term:,}"

    @admin.display(ordering="length_bytes")
    def bytes(self, segment: Segment) -> str:
        """The length."""
        return f"{segment.length_bytes:,}"

    @admin.display(description="digits")
    def digits(self, segment: Segment) -> str:
        """How many digits the terms have together."""
        return f"{segment.digits:,}"

    @admin.display(description="offset in the text", ordering="start_offset")
    def offset(self, segment: Segment) -> str:
        """The offset of the first byte."""
        return f"{segment.start_offset:,}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the totals over the store."""
        totals = {name: f"{total:,}" for name, total in Segment.objects.totals().items()}
        return super().changelist_view(request, {"totals": totals} | (extra_context or {}))


@admin.register(CodedSegment)
class CodedSegmentAdmin(ReadOnlyAdmin):
    """The segments that are kept in a format and a coding."""

    list_display = ("name", "segment", "bytes", "created_at")
    fields = ("name", "segment", "bytes", "created_at")
    readonly_fields = fields
    list_select_related = ("segment",)
    list_per_page = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[CodedSegment]:
        """The coded segments without their checksums, which are long."""
        return super().get_queryset(request).defer("block_checksums", "segment__block_checksums")

    @admin.display(ordering="length_bytes")
    def bytes(self, coded: CodedSegment) -> str:
        """The length."""
        return f"{coded.length_bytes:,}"
