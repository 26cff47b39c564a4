"""The site's addresses."""

from django.contrib import admin
from django.urls import include, path

admin.autodiscover()

urlpatterns = [
    path("", include("sequence.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "sequence.views.bad_request"
handler404 = "sequence.views.not_found"
handler500 = "sequence.views.server_error"
