"""The site's addresses."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import path

from sequence import urls, views
from sequence.accounts.login import log_in

admin.autodiscover()


def favicon(_: HttpRequest) -> HttpResponseBase:
    """Redirect browsers to the icon from pages that name none: the text, the admin."""
    return redirect(static("sequence/icon.svg"))


urlpatterns = [
    *urls.urlpatterns,
    # For browsers and crawlers, and not described for programs.
    path("look-up", views.look_up),
    path("robots.txt", views.robots),
    path("favicon.ico", favicon),
    path("admin/login/", log_in),
    path("admin/", admin.site.urls),
]

handler400 = "sequence.views.bad_request"
handler404 = "sequence.views.not_found"
handler500 = "sequence.views.server_error"
