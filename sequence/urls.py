"""The app's addresses."""

from django.urls import path

from sequence import views

urlpatterns = [
    path("", views.text),
    path("livez", views.livez),
    path("readyz", views.readyz),
]
